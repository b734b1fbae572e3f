//! Sends the files of a folder that handlers name (`app/folder.rs`). Of what a mount does for a path that
//! a peer names, this does the part that is about one file; the rest the handler has done.

use std::ffi::CString;
use std::rc::Rc;

use super::decision::{self, Absence, Seen};
use super::refusal::Refusal;
use super::resolve;
use super::root::Release;
use super::sending::Wanted;
use super::service::{Files, Served};
use super::version::Version;
use crate::app::{Request, Response, SendNamed, Sending};

impl SendNamed for Files {
    fn send_named<'a>(&'a self, request: &'a Request, name: &'a [u8]) -> Sending<'a> {
        let served = &self.0;
        let now_ns = served.ring.now_ns();
        let release = served.root.release(now_ns);
        let wanted = Wanted { request, name };
        if let Some(response) = served.at_once(&release, wanted, now_ns) {
            return Sending::Ready(response);
        }
        Sending::Waiting(Box::pin(async move {
            let sent = served.send_wanted(&release, wanted).await;
            sent.map_err(Refusal::into_error)
        }))
    }
}

impl Served {
    async fn send_wanted(
        self: &Rc<Self>,
        release: &Release,
        wanted: Wanted<'_>,
    ) -> Result<Response, Refusal> {
        let now_ns = self.ring.now_ns();
        if let Some(response) = self.remembered(release, wanted, now_ns).await {
            return Ok(response);
        }
        let looked_at = self.look_at_named(release, wanted.name).await;
        if let Err(Refusal::Nothing(_)) = looked_at {
            self.forget(wanted);
        }
        let (relative, version) = looked_at?;
        self.file(release, wanted, relative, version, now_ns).await
    }

    /// Where the file called `name` lies, and what was seen of it.
    async fn look_at_named(
        &self,
        release: &Release,
        name: &[u8],
    ) -> Result<(CString, Version), Refusal> {
        let relative = decision::named(&self.policy, name).map_err(Refusal::Nothing)?;
        let links = self.policy.symlinks;
        let seen = resolve::look(&self.ring, release, &relative, links).await;
        match seen.map_err(|error| Refusal::failed(error, name))? {
            Seen::File(version) => Ok((relative, version)),
            Seen::Folder => Err(Refusal::absent(Absence::Missing)),
            Seen::Absent(absence) => Err(Refusal::absent(absence)),
        }
    }
}
