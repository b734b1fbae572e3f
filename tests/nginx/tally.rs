//! Answers side by side, and the classes of their differences.

use super::classes::Class;
use super::peers::Peer;
use super::requests::Request;
use super::support::setting;
use super::told::Told;

/// What came of the requests so far.
pub(crate) struct Tally {
    classes: Vec<&'static Class>,
    /// What is compared of what was told.
    compared: fn(Told) -> Told,
    requests: u64,
    alike: u64,
    /// Differences, by their classes.
    counts: Vec<u64>,
    unexplained: Vec<String>,
}

impl Tally {
    pub(crate) fn new(classes: Vec<&'static Class>, compared: fn(Told) -> Told) -> Self {
        Self {
            counts: vec![0; classes.len()],
            classes,
            compared,
            requests: 0,
            alike: 0,
            unexplained: Vec::new(),
        }
    }

    /// Asks both, and returns what they told.
    pub(crate) fn compare(
        &mut self,
        request: &Request,
        corelane: &mut Peer,
        nginx: &mut Peer,
    ) -> (Told, Told) {
        let told = (corelane.ask(request), nginx.ask(request));
        let ours = (self.compared)(told.0.clone());
        let theirs = (self.compared)(told.1.clone());
        self.requests += 1;
        if ours == theirs {
            self.alike += 1;
        } else if let Some(place) = self.explained(request, &ours, &theirs, nginx) {
            self.counts[place] += 1;
        } else {
            let difference = format!("{request:?}\nours: {ours:?}\nnginx: {theirs:?}");
            self.unexplained.push(difference);
        }
        told
    }

    /// The class of a difference. One that is but in the variant that is chosen is of its class only if
    /// nginx answers as ours did when it is made to choose that, or otherwise for another reason.
    fn explained(
        &self,
        request: &Request,
        ours: &Told,
        theirs: &Told,
        nginx: &mut Peer,
    ) -> Option<usize> {
        let is = |class: &&Class| (class.is)(request, ours, theirs);
        let place = self.classes.iter().position(is)?;
        let Some(codings) = self.classes[place].chosen else {
            return Some(place);
        };
        let request = Request {
            codings: codings.to_owned(),
            ..request.clone()
        };
        let mut chosen = (self.compared)(nginx.ask(&request));
        // That it has chosen is another matter, and the class's own.
        chosen.varies = ours.varies;
        let is_other =
            |class: &&Class| class.chosen.is_none() && (class.is)(&request, ours, &chosen);
        (*ours == chosen || self.classes.iter().any(is_other)).then_some(place)
    }

    /// Fails the test if a difference is of no class, or the first `most` of the classes have one without
    /// a difference.
    pub(crate) fn assert_explained(&self, most: usize) {
        let Self {
            requests, alike, ..
        } = self;
        eprintln!("{requests} requests, {alike} answered alike; of the others:");
        let counted = || self.classes.iter().zip(&self.counts);
        for (class, count) in counted() {
            eprintln!("{count:8} {} ({})", class.name, class.why);
        }
        let first = &self.unexplained[..self.unexplained.len().min(20)];
        assert!(
            first.is_empty(),
            "{} unexplained:\n{}",
            self.unexplained.len(),
            first.join("\n\n")
        );
        // Another run may be too short or unlucky to come across all of them.
        let is_set = |name| setting(name).is_some();
        if !is_set("NGINX_REQUESTS") && !is_set("NGINX_SEED") {
            for (class, count) in counted().take(most) {
                assert!(*count > 0, "no request differs for this: {}", class.name);
            }
        }
    }
}
