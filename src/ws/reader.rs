//! Puts messages together from the bytes of a peer: frames, masks, fragments, and what may be
//! between them (RFC 6455 §5). It is pure: what it says never depends on how the bytes were split.
//!
//! A frame's header is read by tungstenite; what may follow what is decided here, as soon as it is
//! known: a frame that is too long is refused before any of it is kept, and text that is not UTF-8
//! where it stops being that. Between messages it holds no memory.

use super::message::{CloseFrame, Message, code};
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Longest header of a frame (RFC 6455 §5.2), in bytes.
const HEADER_BYTES: usize = 14;

/// Most bytes of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES: u64 = 125;

/// What is reserved for a frame that has not come, in bytes: a declared length alone costs its peer
/// nothing.
const RESERVE_BYTES: usize = 16 * 1024;

/// What a peer said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    Message(Message),
    Ping(Vec<u8>),
    Pong,
    /// Nothing follows it.
    Close(Option<CloseFrame>),
}

/// What a peer may not say. Nothing is read behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    Protocol(&'static str),
    NotText,
    TooLarge,
}

impl Violation {
    /// The code that the socket is closed with.
    pub(super) fn code(self) -> u16 {
        match self {
            Violation::Protocol(_) => code::PROTOCOL,
            Violation::NotText => code::INVALID,
            Violation::TooLarge => code::TOO_LARGE,
        }
    }

    pub(super) fn detail(self) -> &'static str {
        match self {
            Violation::Protocol(detail) => detail,
            Violation::NotText => "the text is not UTF-8",
            Violation::TooLarge => "the message is too large",
        }
    }
}

/// How far a peer's bytes are read.
#[derive(Debug)]
pub(super) struct Reader {
    message_bytes: usize,
    frame_bytes: usize,
    /// A header of which the end has not come.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// What came of a control frame.
    control: Vec<u8>,
    /// A message of which the end has not come.
    message: Option<Partial>,
}

#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// Turned so that it begins with what the next byte is masked by.
    mask: [u8; 4],
    left: usize,
}

#[derive(Debug)]
struct Partial {
    is_text: bool,
    bytes: Vec<u8>,
    /// How much of it is known to be UTF-8.
    checked: usize,
}

impl Reader {
    /// Reads messages and frames of at most so many bytes.
    pub(super) fn new(message_bytes: usize, frame_bytes: usize) -> Self {
        Self {
            message_bytes,
            frame_bytes,
            header: [0; HEADER_BYTES],
            header_bytes: 0,
            frame: None,
            control: Vec::new(),
            message: None,
        }
    }

    /// Reads on in `input` until it has something: what, and how much of the input that took.
    /// Without anything all of it was taken.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<(usize, Option<Item>), Violation> {
        let mut taken = 0;
        loop {
            let frame = match &mut self.frame {
                Some(frame) => frame,
                None => match self.read_header(&input[taken..], &mut taken)? {
                    Some(frame) => self.frame.insert(frame),
                    None => return Ok((input.len(), None)),
                },
            };
            let payload = &input[taken..];
            let payload = &payload[..payload.len().min(frame.left)];
            let is_control = matches!(frame.opcode, OpCode::Control(_));
            let into = match &mut self.message {
                Some(message) if !is_control => &mut message.bytes,
                _ => &mut self.control,
            };
            let start = into.len();
            into.reserve(frame.left.min(RESERVE_BYTES.max(payload.len())));
            into.extend_from_slice(payload);
            unmask(&mut into[start..], &mut frame.mask);
            taken += payload.len();
            frame.left -= payload.len();
            let opcode = frame.opcode;
            let is_whole = frame.left == 0;
            let ends_message = is_whole && frame.is_final;
            if !is_control && !ends_message {
                self.check_text()?;
            }
            if !is_whole {
                return Ok((taken, None));
            }
            self.frame = None;
            match opcode {
                OpCode::Control(control) => {
                    let payload = std::mem::take(&mut self.control);
                    let item = control_item(control, payload)?;
                    return Ok((taken, Some(item)));
                }
                OpCode::Data(_) if ends_message => {
                    let message = self.message.take().map(Partial::finish).transpose()?;
                    return Ok((taken, message.map(Item::Message)));
                }
                OpCode::Data(_) => {}
            }
        }
    }

    /// Reads a header, and moves `taken` behind it; `None` if its end has not come.
    fn read_header(&mut self, input: &[u8], taken: &mut usize) -> Result<Option<Frame>, Violation> {
        let before = self.header_bytes;
        let (parsed, header_bytes) = if before == 0 {
            parse(input)?
        } else {
            let more = input.len().min(HEADER_BYTES - before);
            self.header[before..before + more].copy_from_slice(&input[..more]);
            parse(&self.header[..before + more])?
        };
        let Some((header, length)) = parsed else {
            // It is shorter than the longest, so all of it was looked at.
            self.header[before..before + input.len()].copy_from_slice(input);
            self.header_bytes = before + input.len();
            return Ok(None);
        };
        self.header_bytes = 0;
        *taken += header_bytes - before;
        // RFC 6455 §5.2: the fewest bytes that can say it, and never the top bit.
        if header.len(length) != header_bytes || length > i64::MAX as u64 {
            return Err(Violation::Protocol(
                "a length is not written as it has to be",
            ));
        }
        self.admit(&header, length).map(Some)
    }

    /// Whether this frame may come here.
    fn admit(&mut self, header: &FrameHeader, length: u64) -> Result<Frame, Violation> {
        // RFC 6455 §5.2: they mean something in extensions alone, of which none was agreed on.
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        // RFC 6455 §5.1.
        let Some(mask) = header.mask else {
            return Err(Violation::Protocol("a frame is not masked"));
        };
        match header.opcode {
            // RFC 6455 §5.5.
            OpCode::Control(_) if !header.is_final || length > CONTROL_BYTES => {
                return Err(Violation::Protocol(
                    "a control frame is too long or in parts",
                ));
            }
            OpCode::Control(_) => {}
            OpCode::Data(kind) => {
                let before = self
                    .message
                    .as_ref()
                    .map_or(0, |message| message.bytes.len());
                // RFC 6455 §5.4.
                match (kind, &self.message) {
                    (Data::Continue, None) => {
                        return Err(Violation::Protocol("there is nothing to continue"));
                    }
                    (Data::Text | Data::Binary, Some(_)) => {
                        return Err(Violation::Protocol("a message begins inside of another"));
                    }
                    _ => {}
                }
                let left = self.message_bytes - before;
                if length > left.min(self.frame_bytes) as u64 {
                    return Err(Violation::TooLarge);
                }
                self.message.get_or_insert_with(|| Partial {
                    is_text: kind == Data::Text,
                    bytes: Vec::new(),
                    checked: 0,
                });
            }
        }
        Ok(Frame {
            opcode: header.opcode,
            is_final: header.is_final,
            mask,
            left: length as usize,
        })
    }

    /// Refuses text of which it is known that it is none, though its end has not come.
    fn check_text(&mut self) -> Result<(), Violation> {
        let Some(message) = self.message.as_mut().filter(|message| message.is_text) else {
            return Ok(());
        };
        let valid = match std::str::from_utf8(&message.bytes[message.checked..]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(Violation::NotText),
        };
        message.checked += valid;
        Ok(())
    }
}

impl Partial {
    fn finish(self) -> Result<Message, Violation> {
        match self.is_text {
            true => match String::from_utf8(self.bytes) {
                Ok(text) => Ok(text.into()),
                Err(_) => Err(Violation::NotText),
            },
            false => Ok(self.bytes.into()),
        }
    }
}

/// The header at the front of `bytes`, the length of its payload, and its own.
fn parse(bytes: &[u8]) -> Result<(Option<(FrameHeader, u64)>, usize), Violation> {
    let mut cursor = Cursor::new(bytes);
    match FrameHeader::parse(&mut cursor) {
        Ok(parsed) => Ok((parsed, cursor.position() as usize)),
        Err(_) => Err(Violation::Protocol("there is no such frame")),
    }
}

/// What a control frame with `payload` says.
fn control_item(control: Control, payload: Vec<u8>) -> Result<Item, Violation> {
    match (control, &payload[..]) {
        (Control::Ping, _) => Ok(Item::Ping(payload)),
        (Control::Pong, _) => Ok(Item::Pong),
        (_, []) => Ok(Item::Close(None)),
        // RFC 6455 §5.5.1, §7.4.
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            if !code::is_sendable(code) {
                return Err(Violation::Protocol("the code of the end is none"));
            }
            let reason = std::str::from_utf8(reason).map_err(|_| Violation::NotText)?;
            let reason = reason.into();
            Ok(Item::Close(Some(CloseFrame { code, reason })))
        }
        (_, [_]) => Err(Violation::Protocol("the code of the end is cut off")),
    }
}

/// Takes the mask off `bytes`, and turns it for those behind them (RFC 6455 §5.3).
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let mut words = bytes.chunks_exact_mut(8);
    let pattern = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    for word in &mut words {
        let mut octets = [0; 8];
        octets.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(octets) ^ pattern).to_ne_bytes());
    }
    let rest = words.into_remainder();
    for (octet, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *octet ^= mask;
    }
    mask.rotate_left(rest.len() % 4);
}
