//! The cases: what a client asks and how.

use clap::ValueEnum;

/// How many folders the tree has.
pub const TREE_FOLDERS: usize = 100;

/// How many files each folder of the tree has.
pub const FOLDER_FILES: usize = 1000;

/// How many files are read from the disk at a time.
pub const COLD_FILES: usize = 64;

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
    /// A file of 1 KiB, likewise.
    #[value(name = "file-1k")]
    File1k,
    /// A file of 1 MiB, one request at a time on each of 16 connections.
    #[value(name = "file-1m")]
    File1m,
    /// A file of 100 MiB, likewise.
    #[value(name = "file-100m")]
    File100m,
    /// One of 100,000 files of 1 KiB after the other, in no order, on each of 64 connections.
    #[value(name = "tree-100k")]
    Tree,
    /// 64 files of 4 MiB, one on each of 64 connections, each dropped from memory before it is asked for.
    #[value(name = "cold-64")]
    Cold,
}

/// A file as a case asks for it.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its path, or that of one of them.
    pub path: &'static str,
    pub bytes: usize,
}

impl File {
    /// What is in it.
    pub fn content(self) -> Vec<u8> {
        (b'a'..=b'z').cycle().take(self.bytes).collect()
    }
}

impl Case {
    /// Every case, in the order of the report.
    pub const ALL: [Case; 11] = [
        Case::KeepAlive64,
        Case::KeepAlive256,
        Case::Pipeline16,
        Case::Varied16,
        Case::Close,
        Case::File10k,
        Case::File1k,
        Case::File1m,
        Case::File100m,
        Case::Tree,
        Case::Cold,
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
            Case::File1k => "file-1k",
            Case::File1m => "file-1m",
            Case::File100m => "file-100m",
            Case::Tree => "tree-100k",
            Case::Cold => "cold-64",
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
            Case::File1k => "A file of 1 KiB, 64 connections",
            Case::File1m => "A file of 1 MiB, 16 connections",
            Case::File100m => "A file of 100 MiB, 16 connections",
            Case::Tree => "100,000 files of 1 KiB in no order, 64 connections",
            Case::Cold => "64 files of 4 MiB that are not in memory, 64 connections",
        }
    }

    /// How many connections are open at a time.
    pub fn connections(self) -> u32 {
        match self {
            Case::KeepAlive256 => 256,
            Case::File1m | Case::File100m => 16,
            _ => 64,
        }
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

    /// The file that is the answer, if one is.
    pub fn file(self) -> Option<File> {
        let (path, bytes) = match self {
            Case::File1k => ("/1k.bin", 1024),
            Case::File10k => ("/10k.bin", 10 * 1024),
            Case::File1m => ("/1m.bin", 1024 * 1024),
            Case::File100m => ("/100m.bin", 100 * 1024 * 1024),
            Case::Tree => ("/tree/0/0.bin", 1024),
            Case::Cold => ("/cold/0.bin", 4 * 1024 * 1024),
            _ => return None,
        };
        Some(File { path, bytes })
    }

    /// What is asked for.
    pub fn path(self) -> &'static str {
        self.file().map_or("/plaintext", |file| file.path)
    }

    /// What the answer's body has to be.
    pub fn body(self) -> Vec<u8> {
        let text = || b"Hello, World!".to_vec();
        self.file().map_or_else(text, File::content)
    }

    /// Whether what is counted is bytes, for an answer takes so long that those under way at the end
    /// of a measurement matter.
    pub fn counts_bytes(self) -> bool {
        matches!(self, Case::File1m | Case::File100m | Case::Cold)
    }
}
