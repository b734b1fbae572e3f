//! The cases: what a client asks and how.

use clap::ValueEnum;

/// How many bytes the file of the file case has.
pub const FILE_BYTES: usize = 10 * 1024;

/// One way to load a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// One request at a time on each of 64 connections.
    #[value(name = "keepalive-64")]
    KeepAlive64,
    /// One request at a time on each of 256 connections.
    #[value(name = "keepalive-256")]
    KeepAlive256,
    /// 16 requests in one write on each of 64 connections.
    #[value(name = "pipeline-16")]
    Pipeline16,
    /// The same, and no request has the fields of the one before it.
    #[value(name = "varied-16")]
    Varied16,
    /// A new connection for each request, 64 at a time.
    #[value(name = "close")]
    Close,
    /// A file of 10 KiB, one request at a time on each of 64 connections.
    #[value(name = "file-10k")]
    File10k,
}

impl Case {
    /// Every case, in the order of the report.
    pub const ALL: [Case; 6] = [
        Case::KeepAlive64,
        Case::KeepAlive256,
        Case::Pipeline16,
        Case::Varied16,
        Case::Close,
        Case::File10k,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Case::KeepAlive64 => "keepalive-64",
            Case::KeepAlive256 => "keepalive-256",
            Case::Pipeline16 => "pipeline-16",
            Case::Varied16 => "varied-16",
            Case::Close => "close",
            Case::File10k => "file-10k",
        }
    }

    /// Its heading in the report.
    pub fn title(self) -> &'static str {
        match self {
            Case::KeepAlive64 => "Keep-alive, 64 connections",
            Case::KeepAlive256 => "Keep-alive, 256 connections",
            Case::Pipeline16 => "16 requests pipelined, 64 connections",
            Case::Varied16 => "16 requests pipelined, each with other fields, 64 connections",
            Case::Close => "A new connection for each request, 64 at a time",
            Case::File10k => "A file of 10 KiB, 64 connections (the floor answers from memory)",
        }
    }

    /// How many connections are open at a time.
    pub fn connections(self) -> u32 {
        if self == Case::KeepAlive256 { 256 } else { 64 }
    }

    /// How many requests one write carries.
    pub fn pipelined(self) -> usize {
        match self {
            Case::Pipeline16 | Case::Varied16 => 16,
            _ => 1,
        }
    }

    /// Whether each request has fields that the one before it had not.
    pub fn varies(self) -> bool {
        self == Case::Varied16
    }

    /// Whether each request asks to close its connection.
    pub fn closes(self) -> bool {
        self == Case::Close
    }

    /// Whether the answer is a file of the server's folder.
    pub fn is_file(self) -> bool {
        self == Case::File10k
    }

    /// What is asked for.
    pub fn path(self) -> &'static str {
        if self.is_file() {
            "/10k.bin"
        } else {
            "/plaintext"
        }
    }

    /// What the answer's body has to be.
    pub fn body(self) -> Vec<u8> {
        if self.is_file() {
            (b'a'..=b'z').cycle().take(FILE_BYTES).collect()
        } else {
            b"Hello, World!".to_vec()
        }
    }
}
