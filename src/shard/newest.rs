//! The newest merged statistics, of which all cores have the same at any time.
//!
//! Were each to answer with what it was sent last, one that was held, or that was not asked for fresh ones,
//! would tell less than another had told before: counters would go backwards for whoever asks both, and a
//! scraper would take that for a restart.

use crate::stats::View;
use std::sync::{Arc, PoisonError, RwLock};

/// The place where the supervisor puts them. It is locked for as long as a pointer is copied, by whoever
/// reads statistics and by nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Newest(Arc<RwLock<Arc<View>>>);

impl Newest {
    pub(crate) fn new(view: Arc<View>) -> Newest {
        Newest(Arc::new(RwLock::new(view)))
    }

    /// The view that was put there last.
    pub(crate) fn get(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a newer one there. The supervisor alone does, and before it sends that view to anyone.
    pub(crate) fn put(&self, view: Arc<View>) {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let older = std::mem::replace(&mut *place, view);
        drop(place);
        // Its memory is freed behind the lock.
        drop(older);
    }
}
