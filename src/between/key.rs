//! Which core a key belongs to.
//!
//! A key's hash is the same in every build and on every machine, and the same hash goes to the same
//! core as long as there are as many cores. With one core more, that core gets its share of the keys, and
//! no other key moves: jump consistent hash (Lamping and Veach, 2014, arXiv:1406.2294).

use std::rc::Rc;
use std::sync::Arc;

/// Something that has a home among the cores: text, bytes, whole numbers, and pairs of these.
///
/// Keys that are equal have the same hash, owned or borrowed: `"a"` and `String::from("a")`, `7_u8` and
/// `7_i64`.
pub trait Keyed {
    /// The key's hash, which depends on nothing but the key. [`hash`] makes one of bytes.
    fn key_hash(&self) -> u64;
}

/// The home of `key` among so many cores, numbered from 0.
///
/// # Panics
/// If there are no cores.
pub fn home(key: &(impl Keyed + ?Sized), cores: usize) -> usize {
    assert!(cores > 0, "a key has its home on a core");
    jump(key.key_hash(), cores as u64) as usize
}

/// A hash of `bytes` for [`Keyed::key_hash`]: FNV-1a of 64 bits, mixed.
///
/// It is meant to spread keys over cores. Whoever chooses keys can choose such that have one home.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(hash)
}

/// The finalizer of MurmurHash3: each bit of its argument has a say in each bit that it returns.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The bucket of `hash` among so many, by jump consistent hash.
fn jump(mut hash: u64, buckets: u64) -> u64 {
    let (mut bucket, mut next) = (0, 0);
    while next < buckets {
        bucket = next;
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let spread = (1_u64 << 31) as f64 / ((hash >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * spread) as u64;
    }
    bucket
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {$(
        impl Keyed for $number {
            fn key_hash(&self) -> u64 {
                mix(*self as u64)
            }
        }
    )*};
}

whole_numbers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

impl Keyed for str {
    fn key_hash(&self) -> u64 {
        hash(self.as_bytes())
    }
}

impl Keyed for String {
    fn key_hash(&self) -> u64 {
        self.as_str().key_hash()
    }
}

impl Keyed for [u8] {
    fn key_hash(&self) -> u64 {
        hash(self)
    }
}

impl Keyed for Vec<u8> {
    fn key_hash(&self) -> u64 {
        hash(self)
    }
}

impl<const N: usize> Keyed for [u8; N] {
    fn key_hash(&self) -> u64 {
        hash(self)
    }
}

impl<A: Keyed, B: Keyed> Keyed for (A, B) {
    fn key_hash(&self) -> u64 {
        mix(self.0.key_hash().rotate_left(1) ^ self.1.key_hash())
    }
}

impl<K: Keyed + ?Sized> Keyed for &K {
    fn key_hash(&self) -> u64 {
        (**self).key_hash()
    }
}

impl<K: Keyed + ?Sized> Keyed for Box<K> {
    fn key_hash(&self) -> u64 {
        (**self).key_hash()
    }
}

impl<K: Keyed + ?Sized> Keyed for Rc<K> {
    fn key_hash(&self) -> u64 {
        (**self).key_hash()
    }
}

impl<K: Keyed + ?Sized> Keyed for Arc<K> {
    fn key_hash(&self) -> u64 {
        (**self).key_hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_stays_as_it_is() {
        // Of FNV's authors, before it is mixed: "" and "foobar".
        assert_eq!(hash(b""), mix(0xcbf2_9ce4_8422_2325));
        assert_eq!(hash(b"foobar"), mix(0x8594_4171_f739_67e8));
        // Of other implementations of the paper.
        let jumps = [
            (1, 1, 0),
            (42, 57, 43),
            (0xdead_10cc, 1, 0),
            (0xdead_10cc, 666, 361),
            (256, 1024, 520),
        ];
        for (hash, buckets, bucket) in jumps {
            assert_eq!(jump(hash, buckets), bucket, "{hash} {buckets}");
        }
        let homes = |key: &dyn Keyed| [1, 2, 3, 8, 64].map(|cores| home(key, cores));
        assert_eq!(homes(&""), [0, 1, 1, 1, 59]);
        assert_eq!(homes(&"a"), [0, 1, 1, 5, 24]);
        assert_eq!(homes(&"user:1"), [0, 1, 1, 7, 25]);
        assert_eq!(homes(&"日本"), [0, 1, 2, 5, 8]);
        assert_eq!(homes(&0_u32), [0, 0, 0, 0, 0]);
        assert_eq!(homes(&1_u32), [0, 0, 0, 3, 3]);
        assert_eq!(homes(&-1_i32), [0, 0, 2, 7, 50]);
        assert_eq!(homes(&(u64::MAX - 1)), [0, 0, 0, 3, 9]);
        assert_eq!(homes(&("a", 1)), [0, 1, 2, 5, 21]);
    }

    #[test]
    fn equal_keys_have_one_home() {
        let text = "key".key_hash();
        assert_eq!(String::from("key").key_hash(), text);
        assert_eq!(Arc::<str>::from("key").key_hash(), text);
        assert_eq!(Rc::<str>::from("key").key_hash(), text);
        assert_eq!(Box::<str>::from("key").key_hash(), text);
        assert_eq!((&&"key").key_hash(), text);
        assert_eq!(b"key".key_hash(), text);
        assert_eq!(b"key".to_vec().key_hash(), text);
        assert_eq!(7_u8.key_hash(), 7_i64.key_hash());
        assert_eq!((-1_i8).key_hash(), (-1_i64).key_hash());
        assert_ne!(("a", "b").key_hash(), ("b", "a").key_hash());
        assert_ne!((1, 1).key_hash(), (2, 2).key_hash());
    }

    #[test]
    fn keys_spread_and_stay_when_a_core_is_added() {
        const KEYS: u32 = 20_000;
        for cores in 1..=16 {
            let mut homes = vec![0; cores];
            for key in 0..KEYS {
                let (before, after) = (home(&key, cores), home(&key, cores + 1));
                assert!(after == before || after == cores);
                homes[before] += 1;
            }
            let share = KEYS / cores as u32;
            assert!(
                homes
                    .iter()
                    .all(|keys| (share * 9 / 10..=share * 11 / 10).contains(keys)),
                "{homes:?}"
            );
        }
    }

    #[test]
    #[should_panic = "on a core"]
    fn no_cores_no_home() {
        home("key", 0);
    }
}
