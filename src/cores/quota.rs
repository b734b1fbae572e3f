//! How much CPU time the cgroup allows this process: cgroup v2 `cpu.max` and v1 `cpu.cfs_*`.
//! It reads files of the kernel and nothing else.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The CPU time that the cgroups of this process allow, in CPUs (1.5 is 150 ms in each 100 ms), or
/// `None` if nothing limits it or nothing can be read.
pub fn cgroup_quota() -> Option<f64> {
    cgroup_quota_below(Path::new("/"))
}

/// [`cgroup_quota`] as read from a file tree of which `root` is the top, holding
/// `proc/self/cgroup` and `sys/fs/cgroup`.
pub fn cgroup_quota_below(root: &Path) -> Option<f64> {
    let memberships = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    memberships
        .lines()
        .filter_map(|line| {
            // HIERARCHY:CONTROLLERS:PATH (cgroups(7)); version 2 is "0::PATH".
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            if controllers.is_empty() {
                let hybrid = mounts.join("unified");
                smallest([mounts.clone(), hybrid], path, quota_v2)
            } else if controllers.split(',').any(|name| name == "cpu") {
                smallest(
                    [mounts.join(controllers), mounts.join("cpu")],
                    path,
                    quota_v1,
                )
            } else {
                None
            }
        })
        .reduce(f64::min)
}

/// The smallest quota among the group at `path` and those that it lies in, below each mount.
///
/// Every group on the way binds. In a container without its own cgroup namespace `path` is the
/// host's and does not exist below the mount, whose top is then the container's own group: it is
/// asked as well.
fn smallest(mounts: [PathBuf; 2], path: &str, quota: impl Fn(&Path) -> Option<f64>) -> Option<f64> {
    // A path from outside the cgroup namespace begins with "/..": only plain names are followed.
    let names: PathBuf = Path::new(path)
        .components()
        .filter(|component| matches!(component, Component::Normal(_)))
        .collect();
    let quota = &quota;
    mounts
        .iter()
        .flat_map(|mount| names.ancestors().map(move |group| mount.join(group)))
        .filter_map(|folder| quota(&folder))
        .reduce(f64::min)
}

/// `cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`.
fn quota_v2(folder: &Path) -> Option<f64> {
    let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let (quota, period) = text.trim_end().split_once(' ')?;
    ratio(quota, period)
}

/// `cpu.cfs_quota_us` is −1 where nothing limits.
fn quota_v1(folder: &Path) -> Option<f64> {
    let quota = fs::read_to_string(folder.join("cpu.cfs_quota_us")).ok()?;
    let period = fs::read_to_string(folder.join("cpu.cfs_period_us")).ok()?;
    ratio(quota.trim_end(), period.trim_end())
}

/// Both are unsigned integers when they limit, so "max" and "-1" are no quota.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file tree with these files, in a folder that is removed when dropped.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const CGROUP: &str = "proc/self/cgroup";

    #[test]
    fn the_quota_is_the_smallest_on_the_way_up() {
        type Files = &'static [(&'static str, &'static str)];
        let table: [(&str, Files, Option<f64>); 13] = [
            ("no files", &[], None),
            ("no limit file", &[(CGROUP, "0::/\n")], None),
            (
                "v2, unlimited",
                &[
                    (CGROUP, "0::/a\n"),
                    ("sys/fs/cgroup/a/cpu.max", "max 100000\n"),
                ],
                None,
            ),
            (
                "v2, own group",
                &[
                    (CGROUP, "0::/a/b.service\n"),
                    ("sys/fs/cgroup/a/b.service/cpu.max", "150000 100000\n"),
                ],
                Some(1.5),
            ),
            (
                "v2, a parent is tighter",
                &[
                    (CGROUP, "0::/a/b\n"),
                    ("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n"),
                    ("sys/fs/cgroup/a/cpu.max", "50000 100000\n"),
                ],
                Some(0.5),
            ),
            (
                "v2, a parent is looser",
                &[
                    (CGROUP, "0::/a/b\n"),
                    ("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"),
                    ("sys/fs/cgroup/a/cpu.max", "800000 100000\n"),
                ],
                Some(2.0),
            ),
            (
                "v2, another group does not count",
                &[
                    (CGROUP, "0::/a\n"),
                    ("sys/fs/cgroup/b/cpu.max", "50000 100000\n"),
                ],
                None,
            ),
            (
                "v2, the path is the host's",
                &[
                    (CGROUP, "0::/../../docker/abc\n"),
                    ("sys/fs/cgroup/cpu.max", "300000 100000\n"),
                ],
                Some(3.0),
            ),
            (
                "v1",
                &[
                    (CGROUP, "4:memory:/x\n3:cpu,cpuacct:/a\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
                ],
                Some(2.5),
            ),
            (
                "v1, mounted by its own name, limited at the top",
                &[
                    (CGROUP, "3:cpuacct,cpu:/docker/abc\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n"),
                ],
                Some(2.0),
            ),
            (
                "v1, unlimited",
                &[
                    (CGROUP, "1:cpu:/\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                ],
                None,
            ),
            (
                "both versions: the tighter one",
                &[
                    (CGROUP, "1:cpu:/\n0::/a\n"),
                    ("sys/fs/cgroup/unified/a/cpu.max", "700000 100000\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "900000\n"),
                    ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                ],
                Some(7.0),
            ),
            (
                "what is not understood does not limit",
                &[
                    (CGROUP, "rubbish\n0::/a\n"),
                    ("sys/fs/cgroup/a/cpu.max", "0 0\n"),
                    ("sys/fs/cgroup/cpu.max", "many\n"),
                ],
                None,
            ),
        ];
        for (name, files, expected) in table {
            let root = tree(files);
            assert_eq!(cgroup_quota_below(root.path()), expected, "{name}");
        }
    }
}
