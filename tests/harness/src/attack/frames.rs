//! Frames of HTTP/2, written and read by hand: no client library sends what an attack needs
//! ([RFC 9113](https://www.rfc-editor.org/rfc/rfc9113), [RFC 7541](https://www.rfc-editor.org/rfc/rfc7541)).

/// The client's preface, without the SETTINGS that must follow.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames that are sent or looked for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of RFC 9113 §6")]
pub enum Kind {
    Data = 0,
    Headers = 1,
    Reset = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
    Continuation = 9,
}

/// `END_STREAM`.
pub const END_STREAM: u8 = 0x1;
/// `END_HEADERS`.
pub const END_HEADERS: u8 = 0x4;
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
pub const INITIAL_WINDOW: u16 = 4;

/// One frame.
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind as u8, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The beginning of a connection, with these settings.
pub fn opening(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(key, value)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    [PREFACE, &frame(Kind::Settings, 0, 0, &payload)].concat()
}

/// A request without a body, on the client's stream of this number (0, 1, 2, …).
pub fn request(number: u32, block: &[u8]) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, stream(number), block)
}

/// The reset of that stream, for CANCEL.
pub fn reset(number: u32) -> Vec<u8> {
    frame(Kind::Reset, 0, stream(number), &8_u32.to_be_bytes())
}

/// The id of the client's stream of this number.
pub fn stream(number: u32) -> u32 {
    number * 2 + 1
}

/// The head of `GET path`, compressed.
pub fn get(path: &str) -> Vec<u8> {
    // Indexed: `:method: GET`, `:scheme: https`; not to be indexed: `:path`, `:authority`.
    let mut block = vec![0x82, 0x87, 0x04];
    string(&mut block, path.as_bytes());
    block.push(0x01);
    string(&mut block, b"x");
    block
}

/// A field that the table is to keep, as its first entry.
pub fn kept(name: &str, value: &[u8]) -> Vec<u8> {
    let mut field = vec![0x40];
    string(&mut field, name.as_bytes());
    string(&mut field, value);
    field
}

/// The first entry of the table, once more.
pub const AGAIN: u8 = 0x80 + 62;

/// A string literal without Huffman's code (RFC 7541 §5.2).
fn string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap_or(0));
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap_or(0) | 0x80);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap_or(0));
    }
    block.extend(text);
}

/// A frame that has come.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    payload: &'a [u8],
}

/// The whole frames in what a server said.
pub fn read(mut bytes: &[u8]) -> impl Iterator<Item = Seen<'_>> {
    std::iter::from_fn(move || {
        let head = bytes.get(..9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let seen = Seen { kind: head[3], flags: head[4], stream, payload: bytes.get(9..9 + length)? };
        bytes = &bytes[9 + length..];
        Some(seen)
    })
}

impl Seen<'_> {
    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind as u8
    }

    /// The error code of a GOAWAY (RFC 9113 §6.8).
    pub fn go_away(&self) -> Option<u32> {
        let code = self.payload.get(4..8)?;
        self.is(Kind::GoAway).then(|| u32::from_be_bytes([code[0], code[1], code[2], code[3]]))
    }
}
