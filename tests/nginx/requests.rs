//! Requests for files, made up.

/// Stands for the entity tag that the asked server has for what is asked for.
pub(crate) const TAG: &str = "TAG";

const PATHS: &[&str] = &[
    "/",
    "/index.html",
    "/empty.txt",
    "/one.txt",
    "/small.txt",
    "/large.bin",
    "/data.json",
    "/noext",
    "/UP.TXT",
    "/up.txt",
    "/a%20b.txt",
    "/50%25.txt",
    "/p+q&r=s.txt",
    "/h%C3%B6he.html",
    "/.env",
    "/.well-known/x.txt",
    "/sub",
    "/sub/",
    "/sub?a=b&c",
    "/sub%20dir",
    "/sub%20dir/x.txt",
    "/sub/a.css",
    "/bare",
    "/bare/",
    "/a.tar.gz",
    "/coded.css",
    "/coded.css?query",
    "/coded.css.gz",
    "/stale.css",
    "/hollow.css",
    "/alone.css",
    "/photo.png",
    "/404.html",
    "/inside.txt",
    "/outside.txt",
    "/linked",
    "/linked/",
    "/linked/a.css",
    "/up",
    "/up/secret.txt",
    "/octet%FF.txt",
    "/octet%fF.txt",
    "/none",
    "/small.txt/",
    "/small.txt/x",
    "/none/none",
    "/old",
    "/old?a=b&c",
    "/old/",
    "/moved",
    "/moved/",
    "/moved/a.css",
    "/moved/a%20b/?c",
    // More often than others: what differs there takes several fields at once.
    "/empty.txt",
    "/empty.txt",
    "/coded.css",
    "/coded.css",
];

/// Paths written in odd ways.
const ODD_PATHS: &[&str] = &[
    "//small.txt",
    "/sub//a.css",
    "/./small.txt",
    "/sub/../small.txt",
    "/sub/./a.css",
    "/%2e/small.txt",
    "/sub/%2e%2e/small.txt",
    "/../small.txt",
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/sub%2fa.css",
    "/sub%2Fa.css",
    "/sub%5Ca.css",
    "/%73mall.txt",
    "/small%2Etxt",
    "/small%252etxt",
    "/small.txt%00",
    "/small.txt%",
    "/small.txt%0",
    "/small.txt%zz",
    "/%C0%AE%C0%AE/secret.txt",
    "/small.txt%20",
    "/small.txt.",
    "/sub/.",
    "/sub/..",
    "/h\u{f6}he.html",
    "/small.txt?q=\"x\"",
    "/small.txt?q=\u{e9}",
    "/sub\\a.css",
    "/small.txt?{a|b}",
    "/[a]^b",
];

const CODINGS: &[&str] = &[
    "",
    "gzip",
    "gzip, deflate, br",
    "GZIP",
    "br",
    "gzip;q=0",
    "gzip;q=0.5",
    "gzip;q=0.5, identity",
    "*",
    "identity",
    "identity;q=0, gzip",
];

pub(crate) const EQUAL: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
/// About when the files were changed last.
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:30 GMT";
pub(crate) const AFTER: &str = "Sun, 06 Nov 1994 08:49:40 GMT";

const RANGES: &[&str] = &[
    "bytes=0-0",
    "bytes=0-",
    "bytes=5-9",
    "bytes=-5",
    "bytes=-0",
    "bytes=-100000000",
    "bytes=999-999",
    "bytes=1000-",
    "bytes=999-100000",
    "bytes=9-5",
    "bytes=199999-",
    "bytes=0-99999999999999999999999",
    "bytes=99999999999999999999999-",
    "bytes=-99999999999999999999999",
    "bytes=0-1,500-501,-2",
    "bytes=0-0,1-1,2-2",
    "bytes=0-500,200-700",
    "bytes=500-501,0-1",
    "bytes=0-1,100000000-",
    "bytes=100000000-,200000000-",
    "bytes=0-1, 300-301",
    "bytes=a-b",
    "bytes=",
    "bytes",
    "BYTES=0-1",
    "lines=0-1",
    "bytes=0-1,",
];

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The value of Accept-Encoding; empty for none.
    pub(crate) codings: String,
    /// Other fields.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Request {
    pub(crate) fn coding_line(&self) -> String {
        match &*self.codings {
            "" => String::new(),
            codings => format!("Accept-Encoding: {codings}\r\n"),
        }
    }

    /// The field lines, with [`TAG`] in place of tags.
    pub(crate) fn lines(&self) -> String {
        let line = |(name, value): &(&str, String)| format!("{name}: {value}\r\n");
        self.coding_line() + &self.fields.iter().map(line).collect::<String>()
    }

    pub(crate) fn needs_tag(&self) -> bool {
        self.fields.iter().any(|(_, value)| value.contains(TAG))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let field = fields.find(|(other, _)| *other == name);
        field.map(|(_, value)| &**value)
    }
}

pub(crate) struct Generator {
    random: fastrand::Rng,
    paths: &'static [&'static str],
    odd_paths: &'static [&'static str],
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_paths(seed, PATHS, ODD_PATHS)
    }

    /// One that asks for other paths, and now and then for odd ones.
    pub(crate) fn with_paths(
        seed: u64,
        paths: &'static [&'static str],
        odd_paths: &'static [&'static str],
    ) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            paths,
            odd_paths,
        }
    }

    fn of(&mut self, list: &[&str]) -> String {
        list[self.random.usize(..list.len())].to_owned()
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.random.u32(..many) == 0
    }

    pub(crate) fn next(&mut self) -> Request {
        let method = match self.one_in(4) {
            true => "HEAD".to_owned(),
            false => "GET".to_owned(),
        };
        let target = match self.one_in(6) {
            true => self.of(self.odd_paths),
            false => self.of(self.paths),
        };
        let codings = match self.one_in(2) {
            true => self.of(CODINGS),
            false => String::new(),
        };
        let mut fields = Vec::new();
        let tags = [TAG, "\"x\"", "*", "\"x\", TAG", "W/TAG", "TAG, \"y\""];
        let dates = [EQUAL, BEFORE, AFTER, "yesterday"];
        for (name, list) in [
            ("If-Match", &tags[..]),
            ("If-None-Match", &tags),
            ("If-Modified-Since", &dates),
            ("If-Unmodified-Since", &dates),
        ] {
            if self.one_in(8) {
                fields.push((name, self.of(list)));
            }
        }
        if self.one_in(3) {
            fields.push(("Range", self.of(RANGES)));
            if self.one_in(3) {
                let validators = [TAG, "W/TAG", "\"x\"", EQUAL, BEFORE, AFTER];
                fields.push(("If-Range", self.of(&validators)));
            }
        }
        Request {
            method,
            target,
            codings,
            fields,
        }
    }
}
