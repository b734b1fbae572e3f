//! Where fuzzing starts: inputs that reach the different branches of each check.

/// Request heads, some with what follows them.
pub(crate) const HEADS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\r\nGET /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n\r\nGET / HTTP/1.1\r\n",
    b"POST /echo HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\n\r\n0123456789ab",
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"GET http://a.example/x?y HTTP/1.1\r\nHost: b.example\r\nConnection: close, x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    b"CONNECT le\r\nConnecth:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    b"HEAD /%41%2f HTTP/1.0\r\nConnection: Keep-Alive\r\nX:\r\nY: \xff \t\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: W/\"x\" ,, \"a,\", \"a\"\r\nIf-Match: *\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: Sun Nov  6 08:49:37 1994\r\n\r\n",
    b"GET /a%2fb/?a=b+c&a=%ff HTTP/1.1\r\nHost: h\r\nRange: bytes=2-99999999999999999999\r\nIf-Range: \"a\"\r\nCookie: a=\"b\"; =c ;d=\r\nContent-Type: a/b ; c\r\n\r\n",
    b"GET / HTTP/1.7\r\nhOST:h\r\nA: b\r\n c\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

/// A first octet that chooses the framing and the limit (see `checks::body`), then a body.
pub(crate) const BODIES: &[&[u8]] = &[
    b"\x005\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    b"\x001;a=b;c=\"d\\\"e\"\r\nx\r\n00000\r\nTrailer: value\r\nOther: \r\n\r\n",
    b"\x00A\r\n0123456789\r\n1f ; x = y\r\n0123456789012345678901234567890\r\n0\r\n\r\n",
    b"\x013\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    b"\x02ffffffffffffffff\r\n",
    b"\x81hello, this is a body with a length",
    b"\xff",
];

/// A first octet that chooses the delivery (see `conversation::connection`), then what a peer sends.
pub(crate) const CONNECTIONS: &[&[u8]] = &[
    b"\x00GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b?c HTTP/1.1\r\nHost: h\r\n\r\nHEAD /c HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x01POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x02POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x04PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    b"\x05GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x08OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\nCONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\nGET http://a/b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x03POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 48\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x08OPTIONS * HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x09POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n",
];

/// A first octet that chooses limits and delivery (see `exchanges::exchange`), then what a peer sends.
pub(crate) const EXCHANGES: &[&[u8]] = &[
    b"\x00POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\nGET /early HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x10POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloHEAD /trailers HTTP/1.1\r\nHost: h\r\n\r\nGET /trailers HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x24POST /part HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello worldPOST /part HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x00POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n1\r\nx\r\n0\r\n\r\nPOST /part HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x38PUT /less HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n12345678PUT /less HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n",
    b"\x43POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcPOST /early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"\x82POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyPOST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nlarge",
    b"\x5cGET /trailers HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\xc0POST /echo HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhelloPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
];

/// A method, a space and a request target.
pub(crate) const TARGETS: &[&[u8]] = &[
    b"GET /",
    b"GET /a/../b%2Fc;d=e?f=g&h=%20#i",
    b"GET http://user@host.example:80/a?b",
    b"GET HTTP://[2001:db8::1%25x]:65535?q",
    b"GET https://h/",
    b"OPTIONS *",
    b"OPTIONS http://h",
    b"CONNECT [v1.a:b]:443",
    b"CONNECT h:0",
];

/// Values of date fields.
pub(crate) const DATES: &[&[u8]] = &[
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b"Thu, 29 Feb 2024 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 GMT",
    b"Thu, 01 Jan 1970 00:00:00 GMT",
];

/// Paths of files as requested, and after a question mark a query.
pub(crate) const PATHS: &[&[u8]] = &[
    b"/",
    b"/index.html",
    b"/a/b/?x=1&y=%20",
    b"/.well-known/acme-challenge/t",
    b"/%2e%2e/%2E%2e/etc/passwd",
    b"/..%2f..%5c/a%00.txt",
    b"//evil.example/?//x",
    b"/caf%C3%A9/\xff%ff",
    b"/.git/config",
];

/// Configuration files, and single values of options.
/// Redirects, a line each, and in the last line what is asked for, without its first slash.
pub(crate) const REDIRECTS: &[&[u8]] = &[
    b"/old=/new\nold?a=b",
    b"/a/*=/*\na/%5Cb/c",
    b"/a/*=/b/*?c#d\n/a/b/*=/c 308\n/a/b/c=/d\na/b/c/d",
    b"/a=/b\n/b=/a\na",
    b"/*=https://example.org:81/x/* 301\na/b//?c",
    b"/a/*=HTTP://[::1]/*\na/@example.com:1",
    b"/caf%C3%A9/*=https://example.org?a\ncaf\xc3\xa9/",
];

pub(crate) const CONFIGS: &[&[u8]] = &[
    b"listen = [\"0.0.0.0:80\", \"[::]:80\"]\ncores = \"0,2-3\"\nroot = \"public\"\n",
    b"shutdown_delay = \"2s\"\nshutdown_timeout = \"1500ms\"\nbusy_poll = true\n[stats]\nenabled = false\nallow = [\"10.0.0.0/8\"]\n",
    b"cores = 2\nlisten = '127.0.0.1:0'\n[stats]\nallow = \"fd00::/8\"\n",
    b"server_header = \"a\"\nlog_level = \"info\"\naccess_log = \"a\"\n[limits]\nhead_timeout = \"5s\"\nbody_bytes = \"10MiB\"\nconnections = 9\n",
    b"cores = \"all\" # every one\nlisten = []\nshutdown_timeout = \"30\"\n",
    b"10.0.0.0/8",
    b"::ffff:10.0.0.0/104",
    b"[fe80::1%2]:8080",
    b"0-3,8,1022-1023",
    b"24h",
    b"86400001ms",
    b"[*]=X-A: b=c: \td ",
    b"404=/errors/a%20b.html",
    b"/assets/**=Link: </a.css>; rel=preload",
];

/// Route templates, a line each, and in the last line the path that is asked for.
pub(crate) const ROUTES: &[&[u8]] = &[
    b"/\n/{name}\n/plaintext\n/Zo%C3%AB",
    b"/users/{id}/posts/{post}\n/users/me\n/users/7/posts/%2F",
    b"/files/{*path}\n/files/\n/files/a/../b%25",
    b"/caf\xc3\xa9/{a}-{b}.{c}\n/caf%C3%A9/1-2.3",
    b"/{{x}}/{y}\n/%7Bx%7D/%ff",
    b"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}\n/1/2/3/4/5/6/7/8",
];

/// A first octet that chooses the delivery (see `sockets::socket`), then frames of a peer, masked with
/// zeros so that they can be read here.
pub(crate) const SOCKETS: &[&[u8]] = &[
    b"\x00\x81\x85\0\0\0\0hello\x82\x83\0\0\0\0\x00\xff\x80\x89\x81\0\0\0\0p\x8a\x80\0\0\0\0",
    b"\x01\x01\x82\0\0\0\0\xe2\x82\x89\x80\0\0\0\0\x00\x80\0\0\0\0\x80\x82\0\0\0\0\xac!\x81\x80\0\0\0\0",
    b"\x02\x02\xfe\x00\x82\0\0\0\x000123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\x80\x8a\0\0\0\0abcdefgh\xff!\x82\xfe\x00\x82\0\0\0\x000123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    b"\x03\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\x37\xfa\x21\x3d\x34\x12",
    b"\x42\x88\x87\0\0\0\0\x03\xe9bye\xc3\xa9\x81\x81\0\0\0\0x",
    b"\x80\x82\xfe\x00\x7e\0\0\0\0\x82\xff\0\0\0\0\0\x01\0\0\0\0\0\0",
    b"\xc1\xc1\x80\0\0\0\0\x83\x80\0\0\0\0\x81\x01x\x09\x80\0\0\0\0",
];
