//! Gzip members made side by side and handed out in order.
//!
//! Members on their way are bounded in number and bytes; at the bound the caller compresses the oldest one
//! that waits, so that a thread is never idle while another has more than it can do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::deflate::Level;
use crate::error::EngineError;
use crate::pack::{Packed, Packer, Unpacked};

/// Tar bytes after which a member ends; small enough to read one object cheaply, large enough to compress well.
pub const MEMBER_BYTES: usize = 1 << 20;

/// What the threads share.
#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Unpacked)>,
    done: BTreeMap<u64, Result<Packed, EngineError>>,
    /// Emptied buffers of what was packed.
    spare: Vec<Vec<u8>>,
    /// Bytes that wait or are being compressed.
    bytes: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    progress: Condvar,
}

impl Shared {
    /// A thread that panicked has left the state between two statements that can't be torn apart.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Lays out, hashes and compresses with a fixed number of threads, the caller's among them.
pub struct Members {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    own: Packer,
    pushed: u64,
    taken: u64,
    limit: u64,
}

impl Members {
    /// `threads` of 1 or less: all in the caller.
    ///
    /// # Errors
    /// Where the system gives no more threads.
    pub fn new(level: Level, mtime_seconds: u64, threads: usize) -> Result<Self, EngineError> {
        let own = Packer::new(level, mtime_seconds);
        let limit = threads as u64 + 2;
        let mut members = Self { shared: Arc::default(), helpers: Vec::new(), own, pushed: 0, taken: 0, limit };
        for number in 1..threads {
            let shared = Arc::clone(&members.shared);
            let mut packer = Packer::new(level, mtime_seconds);
            let helper = std::thread::Builder::new().name(format!("pinnace-member-{number}"));
            let handle = helper.spawn(move || help(&shared, &mut packer));
            members.helpers.push(handle.map_err(|error| EngineError::archive(format!("no thread: {error}")))?);
        }
        Ok(members)
    }

    /// An empty buffer for what becomes a member, one that has grown already if there is one.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        self.shared.lock().spare.pop().unwrap_or_default()
    }

    /// Make `unpacked` the next member; at the bound, compress or wait first.
    ///
    /// # Errors
    /// Where a helping thread is gone.
    pub fn push(&mut self, unpacked: Unpacked) -> Result<(), EngineError> {
        let number = self.pushed;
        self.pushed += 1;
        let mut state = self.shared.lock();
        state.bytes += unpacked.bytes();
        state.waiting.push_back((number, unpacked));
        drop(state);
        self.shared.work.notify_one();
        let limit_bytes = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_mul(2 * MEMBER_BYTES);
        let over = |state: &State, on_the_way: u64| on_the_way > self.limit || state.bytes > limit_bytes;
        loop {
            let state = self.shared.lock();
            let on_the_way = self.pushed - self.taken - state.done.len() as u64;
            if !self.helpers.is_empty() && !over(&state, on_the_way) || on_the_way == 0 {
                return Ok(());
            }
            Self::advance(&self.shared, state, &mut self.own, &self.helpers)?;
        }
    }

    /// The next member in order, if it is ready.
    ///
    /// # Errors
    /// Where it could not be compressed.
    pub fn next_ready(&mut self) -> Result<Option<Packed>, EngineError> {
        let Some(packed) = self.shared.lock().done.remove(&self.taken) else { return Ok(None) };
        self.taken += 1;
        packed.map(Some)
    }

    /// The next member in order, made or waited for; None once all are taken.
    ///
    /// # Errors
    /// Where it could not be compressed.
    pub fn wait_next(&mut self) -> Result<Option<Packed>, EngineError> {
        while self.taken < self.pushed {
            let mut state = self.shared.lock();
            if let Some(packed) = state.done.remove(&self.taken) {
                self.taken += 1;
                return packed.map(Some);
            }
            Self::advance(&self.shared, state, &mut self.own, &self.helpers)?;
        }
        Ok(None)
    }

    /// Compress the oldest that waits, or wait until a helper has ended one.
    ///
    /// `state` has been locked since the caller saw that something is missing: what a helper ends in between would else
    /// be waited for once more, and if it was the last one, for ever.
    fn advance<'a>(
        shared: &'a Shared,
        mut state: MutexGuard<'a, State>,
        own: &mut Packer,
        helpers: &[JoinHandle<()>],
    ) -> Result<(), EngineError> {
        if let Some((number, unpacked)) = state.waiting.pop_front() {
            drop(state);
            finish_one(shared, number, unpacked, own);
            return Ok(());
        }
        let before = state.done.len();
        while state.done.len() == before {
            if helpers.iter().any(JoinHandle::is_finished) {
                return Err(EngineError::archive("a compressing thread ended early"));
            }
            let waited = shared.progress.wait_timeout(state, std::time::Duration::from_millis(100));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        for helper in self.helpers.drain(..) {
            // A helper's panic was reported by `advance`.
            let _ = helper.join();
        }
    }
}

fn help(shared: &Shared, packer: &mut Packer) {
    loop {
        let mut state = shared.lock();
        let (number, unpacked) = loop {
            if state.closed {
                return;
            }
            match state.waiting.pop_front() {
                Some(job) => break job,
                None => state = shared.work.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner),
            }
        };
        drop(state);
        finish_one(shared, number, unpacked, packer);
    }
}

fn finish_one(shared: &Shared, number: u64, mut unpacked: Unpacked, packer: &mut Packer) {
    let packed = packer.pack(&mut unpacked);
    let bytes = unpacked.bytes();
    let buffer = unpacked.into_buffer();
    let mut state = shared.lock();
    state.bytes -= bytes;
    state.done.insert(number, packed);
    state.spare.extend(buffer);
    drop(state);
    shared.progress.notify_one();
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::Members;
    use crate::deflate::Level;
    use crate::error::EngineError;
    use crate::pack::{Packed, Unpacked};

    /// So often that a helper ends its member at each moment of the caller's looking for it.
    const ROUNDS: usize = 40_000;
    const LONGEST_SPIN: Duration = Duration::from_micros(60);

    fn one_member_each(rounds: usize) -> Result<usize, EngineError> {
        let mut members = Members::new(Level::Fast, 0, 2)?;
        let mut bytes = 0;
        for round in 0..rounds {
            members.push(Unpacked::Lines(vec![b'x'; 1 + round % 300]))?;
            let (begun, spin) = (Instant::now(), LONGEST_SPIN * (round % 601) as u32 / 600);
            while begun.elapsed() < spin {}
            while let Some(Packed::Lines(packed)) = members.wait_next()? {
                bytes += packed.len();
            }
        }
        Ok(bytes)
    }

    #[test]
    fn a_member_that_a_helper_ends_at_any_moment_is_not_waited_for_once_more() -> Result<(), EngineError> {
        let (done, waited) = mpsc::channel();
        std::thread::spawn(move || done.send(one_member_each(ROUNDS)));
        let ended = waited.recv_timeout(Duration::from_secs(100));
        assert!(ended.map_err(|_| EngineError::archive("it waits for ever"))?? > 0);
        Ok(())
    }
}
