//! What a completion belongs to, packed into the 64 bits of `user_data`.
//!
//! Three bits say the kind, 29 the generation and 32 the slot. A slot is reused only
//! after its last completion was seen, so the generation never decides anything in a correct
//! ring; it is there so that a mistake is a completion dropped and not a completion misdelivered.

/// A slot of one of the ring's tables and the generation it was filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Whom a completion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An operation that completes once.
    Op(Key),
    /// The multishot receive of a socket.
    Receive(Key),
    /// The accept of a listener.
    Accept(Key),
    /// The poll of a socket that is watched for its end.
    HangUp(Key),
    /// The timeout that ends a park.
    Alarm,
    /// Nobody waits: cancellations and closes.
    Nobody,
}

/// Generations wrap within this mask.
pub(super) const GENERATION_MASK: u32 = (1 << 29) - 1;

impl Target {
    pub(super) fn pack(self) -> u64 {
        let none = Key {
            index: 0,
            generation: 0,
        };
        let (tag, key) = match self {
            Self::Nobody => (0, none),
            Self::Alarm => (4, none),
            Self::Op(key) => (1, key),
            Self::Receive(key) => (2, key),
            Self::Accept(key) => (3, key),
            Self::HangUp(key) => (5, key),
        };
        tag << 61 | u64::from(key.generation & GENERATION_MASK) << 32 | u64::from(key.index)
    }

    pub(super) fn unpack(user_data: u64) -> Self {
        let generation = (user_data >> 32) as u32 & GENERATION_MASK;
        let key = Key {
            index: user_data as u32,
            generation,
        };
        match user_data >> 61 {
            1 => Self::Op(key),
            2 => Self::Receive(key),
            3 => Self::Accept(key),
            4 => Self::Alarm,
            5 => Self::HangUp(key),
            _ => Self::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_survive_packing() {
        let key = Key {
            index: u32::MAX,
            generation: GENERATION_MASK,
        };
        for target in [
            Target::Op(key),
            Target::Receive(key),
            Target::HangUp(key),
            Target::Accept(Key {
                index: 0,
                generation: 1,
            }),
            Target::Alarm,
            Target::Nobody,
        ] {
            assert_eq!(Target::unpack(target.pack()), target);
        }
    }
}
