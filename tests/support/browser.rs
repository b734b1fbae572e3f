//! Chromium without a window, told what to do by its DevTools protocol over a pair of pipes.

use super::outside::has;
use super::{PATIENCE, wait_until};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use tempfile::TempDir;

/// A browser with one page. It ends when the test lets go of it.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    /// What it is told; `None` when it is to end.
    told: Option<ChildStdin>,
    says: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What it said of itself, in order.
    events: Vec<Value>,
    /// Where it keeps what it keeps.
    _profile: TempDir,
}

impl Browser {
    /// Starts one with an empty page; `None` where there is none, which is said loudly.
    pub(crate) fn start() -> Option<Self> {
        if !has("chromium") {
            return None;
        }
        let profile = tempfile::tempdir().expect("a folder");
        // Its pipes are the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#, "sh"])
            .args(["chromium", "--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let (sender, says) = channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON");
                // The test may have ended.
                let _ = sender.send(message);
            }
        });
        let mut browser = Self {
            told: child.stdin.take(),
            child,
            says,
            calls: 0,
            session: None,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime", "Page", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Has it do something, and waits until it has.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let told = self.told.as_mut().expect("it has not been ended");
        told.write_all(format!("{call}\0").as_bytes())
            .expect("it listens");
        loop {
            let message = self.says.recv_timeout(PATIENCE);
            let mut message = message.unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{call}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", asked);
        let exception = &result["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        result["result"]["value"].take()
    }

    /// Waits until an expression in the page is true.
    pub(crate) fn wait(&mut self, expression: &str) {
        wait_until(expression, || self.evaluate(expression) == true);
    }

    /// Goes to a page, which is there when this returns.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait(&format!(
            "location.href === {} && document.readyState === 'complete'",
            json!(url)
        ));
    }

    /// Has a window of this size, in pixels, with these preferences of its user.
    pub(crate) fn look(&mut self, width: u32, height: u32, preferences: &[(&str, &str)]) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 2, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = preferences.iter();
        let features: Vec<_> = features
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        // Where all of the page is in sight it has no scroll bar, and so is as wide as the window.
        let size = self.evaluate("[innerWidth, document.documentElement.scrollHeight]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.call("Page.captureScreenshot", asked);
        let picture = picture["data"].as_str().expect("base64");
        BASE64_STANDARD.decode(picture).expect("base64")
    }

    /// Presses a key that writes nothing.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// The addresses that it has asked for until now.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let requests = self.events("Network.requestWillBeSent");
        let urls = requests.filter_map(|event| event["request"]["url"].as_str());
        urls.collect()
    }

    /// What its console has told of that is wrong: exceptions, errors, and what a policy forbade.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let exceptions = self.events("Runtime.exceptionThrown");
        let errors = self
            .events("Runtime.consoleAPICalled")
            .filter(|call| matches!(call["type"].as_str(), Some("error" | "warning" | "assert")));
        let entries = self
            .events("Log.entryAdded")
            .filter(|event| matches!(event["entry"]["level"].as_str(), Some("error" | "warning")));
        let all = exceptions.chain(errors).chain(entries);
        all.map(Value::to_string).collect()
    }

    fn events(&self, method: &str) -> impl Iterator<Item = &Value> {
        let events = self.events.iter();
        let events = events.filter(move |event| event["method"] == method);
        events.map(|event| &event["params"])
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without its pipe it ends by itself, and takes its processes with it.
        self.told = None;
        let until = std::time::Instant::now() + PATIENCE;
        while self.says.recv_timeout(PATIENCE).is_ok() && std::time::Instant::now() < until {}
        // It may have ended already, and that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
