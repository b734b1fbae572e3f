//! The content of a response that is made while it is sent: a piece when the peer has taken the one
//! before it, and no further ahead.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::compressed::Encoder;
use crate::app::{Body, BodyError, BodySource};

/// Makes pieces. It waits for the disk between them, and hands itself back with each.
pub(super) trait Maker: Sized + 'static {
    /// Whether all pieces are made.
    fn is_over(&self) -> bool;

    /// Makes the next piece.
    ///
    /// # Errors
    /// What it is made of cannot be read: the response breaks off.
    fn make(self) -> impl Future<Output = (Self, io::Result<Bytes>)> + 'static;
}

/// Makes the pieces of another, coded.
pub(super) struct Coded<M> {
    pub(super) maker: M,
    pub(super) encoder: Encoder,
}

impl<M: Maker> Maker for Coded<M> {
    fn is_over(&self) -> bool {
        self.maker.is_over()
    }

    async fn make(self) -> (Self, io::Result<Bytes>) {
        let Self { maker, mut encoder } = self;
        let (maker, piece) = maker.make().await;
        let coded = match piece {
            Ok(piece) => encoder.encode(piece, maker.is_over()).await,
            Err(error) => Err(error),
        };
        (Self { maker, encoder }, coded)
    }
}

type Making<M> = Pin<Box<dyn Future<Output = (M, io::Result<Bytes>)>>>;

/// Pieces as the content of a response.
struct Pieces<M> {
    first: Option<Bytes>,
    /// At hand while no piece is made.
    maker: Option<M>,
    making: Option<Making<M>>,
}

/// The content that begins with `first`, if that is made already, and has behind it what `maker` makes.
pub(super) fn stream(first: Option<Bytes>, maker: impl Maker + Unpin) -> Body {
    let pieces = Pieces {
        first,
        maker: Some(maker),
        making: None,
    };
    Body::stream(pieces, None)
}

impl<M: Maker + Unpin> BodySource for Pieces<M> {
    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let pieces = self.get_mut();
        if let Some(first) = pieces.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(maker) = pieces.maker.take() {
            if maker.is_over() {
                return Poll::Ready(None);
            }
            pieces.making = Some(Box::pin(maker.make()));
        }
        let Some(making) = &mut pieces.making else {
            return Poll::Ready(None);
        };
        let (maker, piece) = ready!(making.as_mut().poll(cx));
        pieces.making = None;
        pieces.maker = Some(maker);
        Poll::Ready(Some(piece.map_err(BodyError::from)))
    }
}
