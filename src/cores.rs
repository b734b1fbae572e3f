//! Which CPUs the shards run on: what the operator asked for, met with what the machine allows.
//! It chooses and refuses; it pins nothing.

mod quota;

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::failure::Failure;
use crate::limits;

pub use quota::{cgroup_quota, cgroup_quota_below};

/// What `--cores` asks for, before the machine is known.
///
/// The text is `all`, a number of CPUs (`4`), or a list of CPU numbers (`0,2-3`). One number alone
/// is a count, so CPU 3 alone is written `3-3`; `0`, which is no count, means CPU 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CoreSelection {
    /// Every CPU of the affinity mask, but no more than the cgroup's CPU quota keeps busy.
    #[default]
    All,
    /// The first so many CPUs of the affinity mask, whatever the quota.
    Count(NonZeroUsize),
    /// Exactly these CPU numbers, ascending, each once.
    List(Vec<usize>),
}

/// Why the text of a selection, or a selection on this machine, cannot stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoresError {
    /// The text is none of the three forms.
    #[error("'{0}' is not a choice of CPUs")]
    NotUnderstood(String),
    /// A range runs from a higher number to a lower one.
    #[error("the CPU range {0}-{1} runs backwards")]
    Backwards(usize, usize),
    /// A CPU number is at or above [`limits::CPUS`].
    #[error("the CPU number {0} is beyond {last}", last = limits::CPUS - 1)]
    BeyondLast(usize),
    /// A list names CPUs that this process may not run on.
    #[error("CPU {} may not be used here", Ranges(missing))]
    Missing {
        /// The CPUs asked for and not available, ascending.
        missing: Vec<usize>,
        /// The CPUs of the affinity mask.
        available: Vec<usize>,
    },
    /// A count asks for more CPUs than there are.
    #[error("{wanted} CPUs are asked for and {} available", available.len())]
    TooMany {
        /// The CPUs asked for.
        wanted: usize,
        /// The CPUs of the affinity mask.
        available: Vec<usize>,
    },
    /// The affinity mask could not be read.
    #[error("the CPUs this process may run on could not be read")]
    NoneAvailable,
}

impl CoresError {
    /// How the operator mends it.
    pub fn mend(&self) -> String {
        match self {
            Self::NotUnderstood(_) => {
                "write all, a number of CPUs such as 4, or CPU numbers such as 0,2-3".into()
            }
            Self::Backwards(first, last) => format!("write {last}-{first}"),
            Self::BeyondLast(_) => format!("name CPUs from 0 to {}", limits::CPUS - 1),
            Self::Missing { available, .. } | Self::TooMany { available, .. } => format!(
                "choose among CPU {} or widen the process's affinity mask",
                Ranges(available)
            ),
            Self::NoneAvailable => "allow sched_getaffinity in the seccomp filter".into(),
        }
    }
}

impl From<CoresError> for Failure {
    fn from(error: CoresError) -> Self {
        match error {
            // Nothing was asked for wrongly.
            CoresError::NoneAvailable => Self::run(error.to_string(), error.mend()),
            _ => Self::operator(format!("cores: {error}"), error.mend()),
        }
    }
}

impl FromStr for CoreSelection {
    type Err = CoresError;

    fn from_str(text: &str) -> Result<Self, CoresError> {
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(number) = number(text) {
            return Ok(match NonZeroUsize::new(number) {
                Some(count) => Self::Count(count),
                None => Self::List(vec![0]),
            });
        }
        let mut cpus = Vec::new();
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (Some(first), Some(last)) = (number(first), number(last)) else {
                return Err(CoresError::NotUnderstood(text.into()));
            };
            if first > last {
                return Err(CoresError::Backwards(first, last));
            }
            // Checked before the range is laid out, which bounds the memory that a slip costs.
            if last >= limits::CPUS {
                return Err(CoresError::BeyondLast(last));
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self::List(cpus))
    }
}

impl fmt::Display for CoreSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Count(count) => count.fmt(f),
            // Alone, a number would read as a count.
            Self::List(cpus) => match cpus[..] {
                [cpu] if cpu > 0 => write!(f, "{cpu}-{cpu}"),
                _ => Ranges(cpus).fmt(f),
            },
        }
    }
}

/// The CPUs to run one shard on each, ascending and never empty.
///
/// `available` are the CPUs of the affinity mask, ascending, and `quota` is the CPU time that the
/// cgroup allows, in CPUs. The quota caps [`CoreSelection::All`] alone, rounded up: more shards
/// than that would only take each other's time. An explicit choice is the operator's own.
///
/// # Errors
/// If the selection names or counts CPUs that are not available, or none is.
pub fn select(
    selection: &CoreSelection,
    available: &[usize],
    quota: Option<f64>,
) -> Result<Vec<usize>, CoresError> {
    if available.is_empty() {
        return Err(CoresError::NoneAvailable);
    }
    match selection {
        CoreSelection::All => {
            let most = quota.map_or(usize::MAX, |cpus| (cpus.ceil() as usize).max(1));
            Ok(available.iter().copied().take(most).collect())
        }
        CoreSelection::Count(count) if count.get() > available.len() => Err(CoresError::TooMany {
            wanted: count.get(),
            available: available.into(),
        }),
        CoreSelection::Count(count) => Ok(available[..count.get()].into()),
        CoreSelection::List(cpus) => {
            let missing: Vec<usize> = cpus
                .iter()
                .copied()
                .filter(|cpu| !available.contains(cpu))
                .collect();
            if missing.is_empty() {
                Ok(cpus.clone())
            } else {
                Err(CoresError::Missing {
                    missing,
                    available: available.into(),
                })
            }
        }
    }
}

/// The CPU numbers that the calling thread may run on, ascending: its affinity mask, which cpusets
/// and `taskset` narrow. Ask before pinning anything. Empty if the mask cannot be read.
pub fn available() -> Vec<usize> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    ids.into_iter().map(|core| core.id).collect()
}

/// Ascending CPU numbers, displayed as the kernel does: `0-3,8`.
pub struct Ranges<'a>(pub &'a [usize]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for run in self.0.chunk_by(|a, b| a + 1 == *b) {
            match run {
                [cpu] => write!(f, "{comma}{cpu}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
            comma = ",";
        }
        Ok(())
    }
}

/// Digits only: `str::parse` would take a sign.
fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(n: usize) -> CoreSelection {
        CoreSelection::Count(NonZeroUsize::new(n).unwrap())
    }

    fn list(cpus: &[usize]) -> CoreSelection {
        CoreSelection::List(cpus.into())
    }

    #[test]
    fn text_is_understood_one_way_or_refused() {
        let not = |text: &str| Err(CoresError::NotUnderstood(text.into()));
        let table = [
            ("all", Ok(CoreSelection::All)),
            ("0", Ok(list(&[0]))),
            ("00", Ok(list(&[0]))),
            ("1", Ok(count(1))),
            ("16", Ok(count(16))),
            ("1024", Ok(count(1024))),
            ("0-0", Ok(list(&[0]))),
            ("3-3", Ok(list(&[3]))),
            ("0,2-3", Ok(list(&[0, 2, 3]))),
            ("3,1,2,1-2", Ok(list(&[1, 2, 3]))),
            ("1022-1023", Ok(list(&[1022, 1023]))),
            ("1022-1024", Err(CoresError::BeyondLast(1024))),
            (
                "0-99999999999999999999",
                Err(CoresError::BeyondLast(usize::MAX)),
            ),
            ("3-1", Err(CoresError::Backwards(3, 1))),
            ("", not("")),
            ("All", not("All")),
            ("+1", not("+1")),
            ("-1", not("-1")),
            ("1,", not("1,")),
            (",1", not(",1")),
            ("1-", not("1-")),
            ("1-2-3", not("1-2-3")),
            ("0, 1", not("0, 1")),
            ("0x1", not("0x1")),
            ("٣", not("٣")),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<CoreSelection>(), expected, "{text}");
        }
    }

    #[test]
    fn selection_meets_the_machine() {
        let missing = |missing: &[usize], available: &[usize]| {
            Err(CoresError::Missing {
                missing: missing.into(),
                available: available.into(),
            })
        };
        let four: &[usize] = &[0, 1, 2, 3];
        let all = CoreSelection::All;
        let table = [
            (all.clone(), four, None, Ok(vec![0, 1, 2, 3])),
            (all.clone(), &[5, 9], None, Ok(vec![5, 9])),
            (all.clone(), four, Some(0.1), Ok(vec![0])),
            (all.clone(), four, Some(1.0), Ok(vec![0])),
            (all.clone(), four, Some(1.01), Ok(vec![0, 1])),
            (all.clone(), four, Some(64.0), Ok(vec![0, 1, 2, 3])),
            (all.clone(), four, Some(f64::MAX), Ok(vec![0, 1, 2, 3])),
            (all, &[], None, Err(CoresError::NoneAvailable)),
            (count(2), four, None, Ok(vec![0, 1])),
            (count(4), four, Some(1.0), Ok(vec![0, 1, 2, 3])),
            (
                count(5),
                four,
                None,
                Err(CoresError::TooMany {
                    wanted: 5,
                    available: four.into(),
                }),
            ),
            (count(1), &[], None, Err(CoresError::NoneAvailable)),
            (list(&[0]), four, Some(0.5), Ok(vec![0])),
            (list(&[1, 3]), four, Some(1.0), Ok(vec![1, 3])),
            (list(&[3, 4, 6]), four, None, missing(&[4, 6], four)),
            (list(&[0]), &[2], None, missing(&[0], &[2])),
        ];
        for (selection, available, quota, expected) in table {
            let got = select(&selection, available, quota);
            assert_eq!(
                got, expected,
                "{selection} of {available:?}, quota {quota:?}"
            );
        }
    }

    #[test]
    fn a_refusal_names_the_cpus_and_the_mend() {
        let table: [(Result<Vec<usize>, CoresError>, &str); 3] = [
            (
                select(&list(&[7]), &[0, 1, 2, 5], None),
                "cores: CPU 7 may not be used here; \
                 choose among CPU 0-2,5 or widen the process's affinity mask",
            ),
            (
                select(&count(3), &[0, 1], None),
                "cores: 3 CPUs are asked for and 2 available; \
                 choose among CPU 0-1 or widen the process's affinity mask",
            ),
            (
                Err("3-1".parse::<CoreSelection>().unwrap_err()),
                "cores: the CPU range 3-1 runs backwards; write 1-3",
            ),
        ];
        for (result, expected) in table {
            let failure = Failure::from(result.unwrap_err());
            assert_eq!(failure.to_string(), expected);
            assert_eq!(failure.exit_code(), 2);
        }
        assert_eq!(Failure::from(CoresError::NoneAvailable).exit_code(), 1);
    }

    #[test]
    fn this_machine_offers_cpus_that_can_be_selected() {
        let available = available();
        let all = select(&CoreSelection::All, &available, cgroup_quota());
        assert!(!all.unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(cpus in prop::collection::btree_set(0..limits::CPUS, 1..40)) {
            let selection = CoreSelection::List(cpus.into_iter().collect());
            prop_assert_eq!(selection.to_string().parse(), Ok(selection));
        }
    }
}
