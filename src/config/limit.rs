//! Limits as they are written, `NAME = VALUE`: their names are looked up, their values read by what
//! they count, and the whole is proved.

use std::collections::BTreeMap;
use std::time::Duration;

use super::raw::Written;
use super::{Mistake, duration, prove_shares, size};
use crate::failure::Failure;
use crate::limits::{LIMITS, Limit, Limits, Unit};

/// The limits that were written, over the defaults. What is wrong is added to `faults`, each with
/// its place.
pub(super) fn prove(
    written: &BTreeMap<String, Written>,
    addresses: usize,
    faults: &mut Vec<Failure>,
) -> Limits {
    let mut limits = Limits::default();
    let faults_before = faults.len();
    for (name, value) in written {
        if let Err(mistake) = set(&mut limits, name, &value.text) {
            faults.push(value.fault(mistake));
        }
    }
    if faults.len() > faults_before {
        return limits;
    }
    // The defaults go together, so one of two that do not was written.
    let place = |names: &[&str]| names.iter().find_map(|name| written.get(*name));
    if let Err(error) = limits.prove() {
        let names = [error.name, error.other.unwrap_or(error.name)];
        let what = format!("{}: {}", error.name, error.what);
        let mistake = Mistake::new(what, error.mend);
        faults.extend(place(&names).map(|written| written.fault(mistake)));
    } else if let Err(mistake) = prove_shares(&limits, addresses) {
        faults.extend(place(&["connections"]).map(|written| written.fault(mistake)));
    }
    limits
}

/// Sets one limit, which has to be in its range.
fn set(limits: &mut Limits, name: &str, text: &str) -> Result<(), Mistake> {
    let Some(limit) = Limit::named(name) else {
        let names: Vec<_> = LIMITS.iter().map(|limit| limit.name).collect();
        return Err(Mistake::new(
            format!("'{name}' is not a limit"),
            format!("name one of {}", names.join(", ")),
        ));
    };
    let value = match limit.unit {
        Unit::CountOrNone | Unit::TimeOrNone if text == "none" => u64::MAX,
        Unit::Time | Unit::TimeOrNone => {
            let time = duration::parse(text, Duration::from_nanos(limit.most));
            let time = time.map_err(|mistake| match limit.unit {
                Unit::TimeOrNone => Mistake::new(mistake.what, mistake.mend + ", or none"),
                _ => mistake,
            })?;
            u64::try_from(time.as_nanos()).unwrap_or(limit.most)
        }
        Unit::Bytes => size::parse(text)?,
        Unit::Count | Unit::CountOrNone => count(text, limit.unit)?,
    };
    limit.set(limits, value);
    limit
        .prove(limits)
        .map_err(|error| Mistake::new(error.what, error.mend))
}

fn count(text: &str, unit: Unit) -> Result<u64, Mistake> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_digits.then(|| text.parse().ok()).flatten();
    let or_none = match unit {
        Unit::CountOrNone => ", or none",
        _ => "",
    };
    number.ok_or_else(|| {
        Mistake::new(
            format!("'{text}' is not a count"),
            format!("write a whole number{or_none}"),
        )
    })
}
