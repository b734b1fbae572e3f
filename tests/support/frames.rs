//! Frames of WebSockets as bytes (RFC 6455 §5.2), written and read here for tests: any that a peer
//! might send, allowed or not.

/// What a client's frames are masked with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
/// The bit that ends a message.
pub(crate) const FIN: u8 = 0x80;

/// A frame of a client that ends a message.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    raw(FIN | opcode, payload)
}

/// A frame of a client whose first byte is `first`.
pub(crate) fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// The header of a client's frame, with the shortest length that says `payload_bytes`.
pub(crate) fn header(first: u8, payload_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload_bytes {
        0..=125 => bytes.push(0x80 | payload_bytes as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((payload_bytes as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(payload_bytes.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// The payload of a Close.
pub(crate) fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

/// A frame as a server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    pub(crate) fn new(opcode: u8, payload: &[u8]) -> Seen {
        let payload = payload.to_vec();
        Seen { opcode, payload }
    }

    /// The code of a Close.
    pub(crate) fn code(&self) -> Option<u16> {
        let code = self.payload.first_chunk()?;
        (self.opcode == CLOSE).then(|| u16::from_be_bytes(*code))
    }
}

/// All frames in what a server sent, each of them well-formed and unmasked.
pub(crate) fn seen(mut sent: &[u8]) -> Vec<Seen> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = sent {
        let (opcode, length) = (first & 0xf, *second);
        assert_eq!(first & 0xf0, FIN, "a fragment or a reserved bit: {sent:?}");
        let (length, rest) = match length {
            0..=125 => (u64::from(length), rest),
            126 => {
                let (length, rest) = rest.split_at(2);
                let length = u16::from_be_bytes([length[0], length[1]]);
                assert!(length > 125);
                (u64::from(length), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk().expect("a length");
                let length = u64::from_be_bytes(*length);
                assert!(length > 0xffff);
                (length, rest)
            }
            _ => panic!("a server masks nothing: {sent:?}"),
        };
        let (payload, rest) = rest.split_at(length as usize);
        frames.push(Seen::new(opcode, payload));
        sent = rest;
    }
    assert!(sent.is_empty(), "half a header");
    frames
}
