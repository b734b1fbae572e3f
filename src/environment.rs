//! Addresses of other servers that the environment holds: with a password in them they belong in no
//! file of the program's.

use crate::app::{Error, Result};
use std::str::FromStr;

/// What the variable `name` says of how to reach `server`.
///
/// # Errors
/// The operator's: it is not set, or what it holds is refused.
pub(crate) fn address<T: FromStr<Err = Error>>(name: &str, server: &str) -> Result<T> {
    let address = std::env::var(name).map_err(|error| {
        Error::operator(format!("set {name} to the address of {server}")).with_source(error)
    })?;
    address.parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Blame;

    #[derive(Debug)]
    struct Never;

    impl FromStr for Never {
        type Err = Error;

        fn from_str(text: &str) -> Result<Never> {
            Err(Error::operator(format!("{text} cannot be read")))
        }
    }

    #[test]
    fn the_environment_may_hold_the_address() {
        for (name, expected) in [
            (
                "NOBODY_SETS_THIS",
                "set NOBODY_SETS_THIS to the address of it",
            ),
            ("PATH", "cannot be read"),
        ] {
            let error = address::<Never>(name, "it").unwrap_err();
            assert!(error.to_string().contains(expected), "{name}: {error}");
            assert_eq!(error.blame(), Blame::Operator);
        }
    }
}
