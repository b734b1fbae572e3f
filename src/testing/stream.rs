//! A response to a test's client whose content is read as it comes.

use super::response::Content;
use super::{TestClient, TestResponse};
use bytes::Bytes;
use std::fmt;
use std::io;

/// A response whose content is read piece by piece, from [`RequestBuilder::send_streaming`]: one that
/// has no end, or of which a test wants to know what comes when.
///
/// In memory time passes when a piece is waited for, as far as it has to. Dropping it before the end
/// closes the connection, as a browser does that leaves a page; the client goes on with another.
///
/// ```
/// use corelane::app::{Sse, SseEvent};
/// use corelane::testing::TestClient;
/// use corelane::{App, Request};
/// use futures_lite::stream;
/// use std::time::Duration;
///
/// let app = App::new().get("/ticks", async |req: Request| {
///     let time = req.time();
///     Sse::new(stream::unfold(1, move |tick| {
///         let time = time.clone();
///         async move {
///             time.sleep(Duration::from_secs(1)).await;
///             Some((SseEvent::data(&tick.to_string()), tick + 1))
///         }
///     }))
/// });
/// let mut client = TestClient::new(app);
/// let mut ticks = client.get("/ticks").send_streaming();
/// assert_eq!(ticks.response().header("content-type"), Some("text/event-stream"));
/// assert_eq!(ticks.next_piece().unwrap(), "data: 1\n\n");
/// assert_eq!(ticks.next_piece().unwrap(), "data: 2\n\n");
/// ```
///
/// [`RequestBuilder::send_streaming`]: super::RequestBuilder::send_streaming
#[must_use = "dropping it closes the connection"]
pub struct TestStream<'a> {
    client: &'a mut TestClient,
    response: TestResponse,
    content: Content,
}

impl<'a> TestStream<'a> {
    pub(super) fn new(
        client: &'a mut TestClient,
        response: TestResponse,
        content: Content,
    ) -> TestStream<'a> {
        TestStream {
            client,
            response,
            content,
        }
    }

    /// The response without its content; at the end of that, with its trailers.
    pub fn response(&self) -> &TestResponse {
        &self.response
    }

    /// The next piece of the content, which is never empty; `None` at its end. What the app makes piece
    /// by piece comes so, but a piece of more than a few KiB may be in parts.
    ///
    /// # Panics
    /// If nothing comes: [`TestStream::try_next_piece`] says so instead.
    #[track_caller]
    pub fn next_piece(&mut self) -> Option<Bytes> {
        match self.try_next_piece() {
            Ok(piece) => piece,
            Err(error) => panic!("no piece: {error}"),
        }
    }

    /// [`TestStream::next_piece`] that says what is wrong.
    ///
    /// # Errors
    /// Those of [`RequestBuilder::try_send`](super::RequestBuilder::try_send), whose bounds hold for
    /// each piece by itself.
    pub fn try_next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let mut budget = self.client.budget();
        let piece = self.client.next_piece(&mut self.content, &mut budget)?;
        if piece.is_none() {
            self.content.finish(&mut self.response);
        }
        Ok(piece)
    }
}

impl Drop for TestStream<'_> {
    fn drop(&mut self) {
        match self.content.is_whole() {
            true => self.client.go_on_behind(&self.content),
            false => self.client.leave(),
        }
    }
}

impl fmt::Debug for TestStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestStream")
            .field("response", &self.response)
            .finish_non_exhaustive()
    }
}
