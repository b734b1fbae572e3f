//! Makes inputs out of seeds by small random changes. It knows no grammar but the seeds' own.

use fastrand::Rng;

/// Octets that decide something in one of the grammars, and their neighbours.
const OCTETS: &[u8] = b"\r\n\t\0 :;,=\"\\/%?#@*.-+0189afAFgz[]{}<>|^~\x7f\x80\xff";

/// Numbers at the edges of what is counted somewhere.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "9",
    "15",
    "16",
    "255",
    "256",
    "1024",
    "4095",
    "4096",
    "8192",
    "32768",
    "65535",
    "65536",
    "1048576",
    "1048577",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "ff",
    "FFFFFFFFFFFFFFFF",
    "10000000000000000",
    "00",
    "+1",
    "-1",
    "0x1",
];

/// A source of mutated inputs, the same for the same start.
pub(crate) struct Mutator<'a> {
    random: Rng,
    seeds: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(start: u64, seeds: &'a [&'a [u8]]) -> Self {
        let random = Rng::with_seed(start);
        Self { random, seeds }
    }

    /// Writes the next input into `input`.
    pub(crate) fn mutate(&mut self, input: &mut Vec<u8>) {
        input.clear();
        input.extend_from_slice(self.seed());
        self.disturb(input);
    }

    /// Changes `input` in a place, or in some.
    pub(crate) fn disturb(&mut self, input: &mut Vec<u8>) {
        // Mostly one change or two: many at once rarely leave anything that is accepted.
        self.change(input);
        while self.random.bool() {
            self.change(input);
        }
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (start, end) = self.range(input.len());
        match self.random.u8(..10) {
            0 => {
                if let Some(octet) = input.get_mut(start) {
                    *octet ^= 1 << self.random.u8(..8);
                }
            }
            1 => {
                if let Some(octet) = input.get_mut(start) {
                    *octet = self.octet();
                }
            }
            2 | 3 => input.insert(start, self.octet()),
            4 => drop(input.drain(start..end)),
            5 => input.truncate(start),
            6 => {
                let copy = input[start..end].to_vec();
                let times = 1 << self.random.usize(..6);
                input.splice(start..start, copy.repeat(times));
            }
            7 => {
                let number = NUMBERS[self.random.usize(..NUMBERS.len())];
                let digits = digits_at(input, start);
                input.splice(digits, number.bytes());
            }
            // A piece of another seed, put in or put in place of something.
            kind => {
                let other = self.seed();
                let (from, to) = self.range(other.len());
                let end = if kind == 8 { start } else { end };
                input.splice(start..end, other[from..to].iter().copied());
            }
        }
    }

    fn seed(&mut self) -> &'a [u8] {
        self.seeds[self.random.usize(..self.seeds.len())]
    }

    fn octet(&mut self) -> u8 {
        match self.random.bool() {
            true => OCTETS[self.random.usize(..OCTETS.len())],
            false => self.random.u8(..),
        }
    }

    /// Two places in `0..=length`, in order and mostly near each other.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.random.usize(..=length);
        let rest = length - start;
        let most = if self.random.u8(..4) == 0 {
            rest
        } else {
            rest.min(16)
        };
        (start, start + self.random.usize(..=most))
    }
}

/// The first run of digits from `start` on; empty there if none follows.
fn digits_at(input: &[u8], start: usize) -> std::ops::Range<usize> {
    let is_digit = |octet: &u8| octet.is_ascii_digit();
    let Some(found) = input[start..].iter().position(is_digit) else {
        return start..start;
    };
    let first = start + found;
    let length = input[first..]
        .iter()
        .take_while(|octet| is_digit(octet))
        .count();
    first..first + length
}
