//! What the cores of a server have in common: their bells, how far each has come, and, while they
//! start, the lanes that they have not taken yet.

use super::bell::Bell;
use super::lane::{Incoming, Outgoing, lane};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Made by the server, before its cores are.
#[derive(Debug)]
pub(crate) struct Exchange {
    cores: Vec<Seat>,
    /// Behind a lock, which is taken when lanes are made, at the start of each core.
    unclaimed: Mutex<Unclaimed>,
}

/// What the others see of a core.
#[derive(Debug, Default)]
struct Seat {
    bell: Bell,
    stage: AtomicU8,
}

/// How far a core has come. A later one never goes back to an earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It sends and receives.
    Open = 0,
    /// It sends no more, and takes what is on its way.
    Closed = 1,
    /// It has ended, or failed.
    Gone = 2,
}

#[derive(Debug, Default)]
struct Unclaimed {
    meshes: HashMap<Name, Mesh>,
    /// Cores that take no more lanes.
    sealed: Vec<usize>,
}

/// What is the same on all cores for lanes that belong together: the type of what they carry, and
/// how many were made for that before.
pub(super) type Name = (TypeId, usize);

/// Lanes between all cores, as far as they have not been taken.
#[derive(Debug)]
struct Mesh {
    capacity: usize,
    /// The [`Ends`] of each core.
    ends: Vec<Option<Box<dyn Any + Send>>>,
}

/// A core's ends of lanes: for each core one to it, and one from it.
#[derive(Debug)]
pub(super) struct Ends<T> {
    pub(super) to: Vec<Outgoing<T>>,
    pub(super) from: Vec<Incoming<T>>,
}

impl Exchange {
    /// For so many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cores: (0..cores).map(|_| Seat::default()).collect(),
            unclaimed: Mutex::default(),
        }
    }

    pub(super) fn cores(&self) -> usize {
        self.cores.len()
    }

    /// The ends of `core` of the lanes called `name`, which are made when the first core asks.
    ///
    /// # Panics
    /// If another core has asked for another capacity.
    pub(super) fn claim<T: Send + 'static>(
        &self,
        core: usize,
        name: Name,
        capacity: usize,
    ) -> Ends<T> {
        let mut unclaimed = self.unclaimed();
        let Unclaimed { meshes, sealed } = &mut *unclaimed;
        let mesh = meshes.entry(name).or_insert_with(|| {
            let mut mesh = Mesh::new::<T>(self.cores(), capacity);
            sealed.iter().for_each(|core| mesh.ends[*core] = None);
            mesh
        });
        let (made, ends) = (mesh.capacity, mesh.ends[core].take());
        if mesh.ends.iter().all(Option::is_none) {
            meshes.remove(&name);
        }
        drop(unclaimed);
        assert!(
            made == capacity,
            "lanes for {capacity} messages meet lanes for {made}: each core has to ask for the same"
        );
        let ends = ends.and_then(|ends| ends.downcast().ok());
        *ends.expect("a core asks for a name once, before it is sealed")
    }

    /// `core` has taken the lanes that it wants: those that it has not asked for end, and who sends
    /// there is told so.
    pub(crate) fn seal(&self, core: usize) {
        let mut unclaimed = self.unclaimed();
        let Unclaimed { meshes, sealed } = &mut *unclaimed;
        sealed.push(core);
        meshes.retain(|_, mesh| {
            mesh.ends[core] = None;
            mesh.ends.iter().any(Option::is_some)
        });
    }

    /// Wakes `core`.
    pub(super) fn ring(&self, core: usize) {
        self.cores[core].bell.ring();
    }

    /// Lets the bell of `core` be rung again; whether it was.
    pub(super) fn still(&self, core: usize) -> bool {
        self.cores[core].bell.still()
    }

    pub(super) fn connect(&self, core: usize, waker: Waker) {
        self.cores[core].bell.connect(waker);
    }

    /// `core` sends no more.
    pub(super) fn close(&self, core: usize) {
        self.advance(core, Stage::Closed);
    }

    /// `core` has ended.
    pub(crate) fn leave(&self, core: usize) {
        self.advance(core, Stage::Gone);
    }

    fn advance(&self, core: usize, stage: Stage) {
        let now = &self.cores[core].stage;
        now.fetch_max(stage as u8, Ordering::SeqCst);
        for seat in &self.cores {
            seat.bell.ring();
        }
    }

    /// How far `core` has come. What it sent before is on its lanes.
    pub(super) fn stage(&self, core: usize) -> Stage {
        match self.cores[core].stage.load(Ordering::SeqCst) {
            0 => Stage::Open,
            1 => Stage::Closed,
            _ => Stage::Gone,
        }
    }

    fn unclaimed(&self) -> MutexGuard<'_, Unclaimed> {
        // Nothing that can panic runs while it is held, but what others drop.
        self.unclaimed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mesh {
    fn new<T: Send + 'static>(cores: usize, capacity: usize) -> Self {
        let mut ends: Vec<Ends<T>> = (0..cores)
            .map(|_| Ends {
                to: Vec::with_capacity(cores),
                from: Vec::with_capacity(cores),
            })
            .collect();
        for sender in 0..cores {
            for receiver in 0..cores {
                let (outgoing, incoming) = lane(capacity);
                ends[sender].to.push(outgoing);
                ends[receiver].from.push(incoming);
            }
        }
        let boxed = |ends| Some(Box::new(ends) as Box<dyn Any + Send>);
        Self {
            capacity,
            ends: ends.into_iter().map(boxed).collect(),
        }
    }
}
