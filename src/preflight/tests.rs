use super::*;

#[test]
fn kernels_are_old_or_new_enough() {
    let table = [
        ("6.1.0-18-amd64", true),
        ("6.1", true),
        ("6.1-rc1", true),
        ("6.10.2", true),
        ("6.18.44-fc", true),
        ("7.0.0", true),
        ("10.0", true),
        ("7", true),
        ("6.0.19", false),
        ("6", false),
        ("5.15.0-91-generic", false),
        ("5.14.0-427.el9.x86_64", false),
        ("2.6.78", false),
        ("", false),
        ("unknown", false),
        ("-6.1", false),
        ("99999999999.1", false),
    ];
    for (release, ok) in table {
        let result = kernel(release);
        assert_eq!(result.is_ok(), ok, "{release}");
        if let Err(failure) = result {
            assert_eq!(failure.exit_code(), 1);
            assert!(failure.what().contains(release));
            assert!(failure.mend().contains("6.1"));
        }
    }
}

#[test]
fn the_sysctl_forbids_by_privilege() {
    let table = [
        ("0\n", false, None),
        ("0", true, None),
        ("1\n", true, None),
        ("1\n", false, Some("io_uring_disabled = 1")),
        ("2\n", true, Some("io_uring_disabled = 2")),
        ("2", false, Some("io_uring_disabled = 2")),
        // Not there before 6.6.
        ("", false, None),
    ];
    for (text, privileged, expected) in table {
        match (io_uring_sysctl(text, privileged), expected) {
            (Ok(()), None) => {}
            (Err(failure), Some(what)) => assert!(failure.what().contains(what)),
            (got, _) => panic!("{text:?} {privileged}: {got:?}"),
        }
    }
}

#[test]
fn privilege_is_a_capability_or_the_group() {
    let status = |cap: &str, gid: &str, groups: &str| {
        format!("Name:\tx\nGid:\t7\t{gid}\t7\t7\nGroups:\t{groups} \nCapEff:\t{cap}\n")
    };
    let table = [
        (status("000001ffffffffff", "0", "0"), "-1\n", true, true),
        (status("0000000000200000", "9", ""), "-1\n", true, false),
        (status("0000000000004000", "9", ""), "-1\n", false, true),
        (status("00000000001fbfff", "9", ""), "-1\n", false, false),
        (status("0000000000000000", "9", "3 4"), "4\n", true, false),
        (status("0000000000000000", "4", "3"), "4\n", true, false),
        // The real group, here 7, gives nothing.
        (status("0000000000000000", "9", "3"), "7\n", false, false),
        (status("0000000000000000", "9", "34"), "4\n", false, false),
        (status("rubbish", "9", ""), "-1", false, false),
        (String::new(), "", false, false),
    ];
    for (status, group, may_uring, exempt) in table {
        assert_eq!(privileged(&status, group), may_uring, "{status} {group}");
        assert_eq!(memlock_exempt(&status), exempt, "{status}");
    }
}

#[test]
fn ring_errors_say_what_forbids_and_what_mends() {
    let table = [
        (Errno::PERM, "seccomp", "io_uring_setup"),
        (Errno::ACCESS, "seccomp", "io_uring_setup"),
        (Errno::NOMEM, "locked-memory", "LimitMEMLOCK="),
        (Errno::NOSYS, "without io_uring", "CONFIG_IO_URING"),
        (Errno::INVAL, "flags", "6.1"),
        (Errno::MFILE, "open files", "LimitNOFILE="),
        (Errno::NFILE, "open files", "fs.file-max"),
        (Errno::FAULT, "Bad address", "doctor"),
    ];
    for (errno, what, mend) in table {
        let failure = ring_error(&errno.into());
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.what().contains(what), "{failure}");
        assert!(failure.mend().contains(mend), "{failure}");
    }
    let failure = ring_error(&io::Error::other("no errno"));
    assert!(failure.what().contains("no errno"));
}

#[test]
fn listen_errors_say_what_is_in_the_way() {
    let table = [
        (Errno::ADDRINUSE, "[::1]:80 is in use", "sport = :80"),
        (Errno::ACCESS, "port 80", "CAP_NET_BIND_SERVICE"),
        (Errno::ADDRNOTAVAIL, "address ::1", "0.0.0.0"),
        (Errno::AFNOSUPPORT, "[::1]:80", "IPv4"),
        (Errno::NOBUFS, "[::1]:80 cannot be listened on", "another"),
    ];
    for (errno, what, mend) in table {
        let failure = listen_error("[::1]:80".parse().unwrap(), &errno.into());
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.what().contains(what), "{failure}");
        assert!(failure.mend().contains(mend), "{failure}");
    }
}

#[test]
fn locked_memory_suffices_at_the_limit_and_not_below() {
    const LEAST: u64 = GLOMMIO_MEMLOCK_BYTES;
    let table = [
        (None, 1024, u64::MAX, true, true),
        (Some(LEAST), 64, 1 << 20, false, true),
        (Some(LEAST - 1), 64, 1 << 20, false, false),
        (Some(LEAST), 2, (LEAST - PROBE_BYTES) / 2, true, true),
        (Some(LEAST), 2, (LEAST - PROBE_BYTES) / 2 + 1, true, false),
        (Some(LEAST), 1, 0, true, true),
        (Some(LEAST - 1), 1, 0, true, false),
        (Some(0), 1, 0, false, false),
        (Some((8 << 20) + PROBE_BYTES), 8, 1 << 20, true, true),
        (Some((8 << 20) + PROBE_BYTES - 1), 8, 1 << 20, true, false),
        (Some(u64::MAX), 2, u64::MAX, true, true),
    ];
    for (limit, shards, per_shard, charged, ok) in table {
        let result = memlock(limit, shards, per_shard, charged);
        assert_eq!(
            result.is_ok(),
            ok,
            "{limit:?} {shards} {per_shard} {charged}"
        );
    }
    let failure = memlock(Some(65536), 2, 300 * 1024, true).unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    assert_eq!(
        failure.what(),
        "the locked-memory limit of 64 KiB is too low for 2 cores, which need 616 KiB"
    );
    assert!(failure.mend().contains("LimitMEMLOCK="));
}

#[test]
fn rings_are_charged_as_measured() {
    let table = [
        (2048, 8192, 0, 268),
        (128, 256, 0, 16),
        (128, 256, 1024, 32),
    ];
    for (entries, completions, buffers, kib) in table {
        assert_eq!(ring_bytes(entries, completions, buffers), kib * 1024);
    }
    assert_eq!(PROBE_BYTES, 2 * 8 * 1024);
    assert_eq!(glommio_bytes(128, 0), 3 * (16 + 64) * 1024);
    assert_eq!(
        glommio_bytes(128, 10 << 20),
        3 * (16 * 1024 + (10_u64 << 20))
    );
}

#[test]
fn a_folder_is_there_or_the_operator_is_told() {
    let folder_path = tempfile::tempdir().unwrap();
    let file = folder_path.path().join("file");
    std::fs::write(&file, "").unwrap();
    let table = [
        (folder_path.path().to_path_buf(), None),
        (file.clone(), Some("is not a folder")),
        (folder_path.path().join("none"), Some("does not exist")),
        (file.join("below"), Some("cannot be used")),
    ];
    for (path, expected) in table {
        match (folder(&path), expected) {
            (Ok(()), None) => {}
            (Err(failure), Some(what)) => {
                assert_eq!(failure.exit_code(), 2);
                assert!(failure.what().contains(what), "{failure}");
            }
            (got, _) => panic!("{}: {got:?}", path.display()),
        }
    }
}
