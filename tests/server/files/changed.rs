//! Files that are written to while they are sent: what comes is of the version that the response began
//! with, or the connection ends before all of it has come. Nobody reads before the change is made, so
//! what the kernel has taken until then is what it has to be.

use super::super::support::client::Broken;
use super::remembered::until_replicated;
use super::*;
use corelane::cores::CoreSelection;
use rustix::fs::{FallocateFlags, fallocate};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;

/// Lengths that a socket takes all of, or much, or little.
const LENGTHS: [usize; 5] = [100_000, 1_000_000, 2_000_000, 4_000_000, 32_000_000];

/// The head of a response, and what came of its content before the connection ended.
fn begun_and_rest(client: &mut Client, change: impl FnOnce()) -> (String, Vec<u8>) {
    let begun = client.exactly(1000).expect("the beginning");
    change();
    let rest = match client.rest() {
        Broken::Closed(rest) => rest,
        Broken::Reset => Vec::new(),
    };
    let came = [begun, rest].concat();
    let end = came.windows(4).position(|at| at == b"\r\n\r\n");
    let (head, content) = came.split_at(end.expect("a head") + 4);
    let head = String::from_utf8(head.to_vec()).expect("text");
    (head, content.to_vec())
}

/// Has a file of each length changed while it is sent.
fn change_while_sent(change: impl Fn(&Path, usize)) {
    let tree = Tree::new();
    let served = tree.serve("/");
    for length in LENGTHS {
        let name = format!("of-{length}.bin");
        tree.write(OsStr::new(&name), &vec![b'a'; length]);
        let mut client = Client::connect(served.address);
        client.send(format!(
            "GET /{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        let path = tree.root().join(&name);
        let (head, content) = begun_and_rest(&mut client, || change(&path, length));
        assert!(
            head.contains(&format!("\r\nContent-Length: {length}\r\n")),
            "{head}"
        );
        let same = content.iter().take_while(|&&byte| byte == b'a').count();
        assert_eq!(
            same,
            content.len(),
            "of {length} bytes, the first others at {same}"
        );
        assert!(
            length < 32_000_000 || content.len() < length,
            "all of it came"
        );
    }
}

#[test]
fn one_that_is_cut_off_is_not_padded() {
    change_while_sent(|path, _| {
        let file = fs::File::options().write(true).open(path);
        file.and_then(|file| file.set_len(50_100)).expect("shorter");
    });
}

#[test]
fn one_that_is_written_anew_is_not_mixed() {
    change_while_sent(|path, length| fs::write(path, vec![b'b'; length + 1]).expect("written"));
}

#[test]
fn one_that_is_written_to_in_place_is_not_mixed() {
    change_while_sent(|path, length| {
        let file = fs::File::options().write(true).open(path);
        let content = vec![b'b'; length / 2];
        file.and_then(|file| file.write_all_at(&content, (length / 2) as u64))
            .expect("written");
    });
}

#[test]
fn one_that_gets_a_hole_is_not_padded() {
    change_while_sent(|path, length| {
        let file = fs::File::options()
            .write(true)
            .open(path)
            .expect("the file");
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(file, flags, 50_000, length as u64 - 50_000).expect("a hole");
    });
}

#[test]
fn one_that_there_is_a_replica_of_comes_as_it_was() {
    let tree = Tree::new();
    // What one core keeps a replica of, another keeps open.
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let root = tree.root();
    let served = Served::on(server, move |_| App::new().files("/", &root));
    let mut client = Client::connect(served.address);
    for length in [100_000, 1_000_000, 8_000_000] {
        let name = format!("of-{length}.bin");
        let content = vec![b'a'; length];
        tree.write(OsStr::new(&name), &content);
        until_replicated(&tree, &mut client, &format!("/{name}"), &content);
        let path = tree.root().join(&name);
        let mut changed = Client::connect(served.address);
        changed.send(format!(
            "GET /{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        let (_, came) = begun_and_rest(&mut changed, || {
            let file = fs::File::options().write(true).open(&path);
            let file = file.expect("the file");
            file.write_all_at(&[b'b'; 60_000], 0).expect("written");
            file.set_len(60_000).expect("shorter");
        });
        assert!(came == content, "{} of {length} bytes", came.len());
        // Who asks afterwards gets what is there now, in time.
        wait_until("it is another", || {
            get(&mut client, &format!("/{name}")).body == [b'b'; 60_000]
        });
    }
}
