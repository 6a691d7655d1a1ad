//! The pool of threads that a command works with.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::EngineError;

/// A pool of that many threads, at least 1, or of as many as the machine has.
pub(crate) fn pool(threads: Option<usize>) -> Result<ThreadPool, EngineError> {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let refuse = |what: String| EngineError::Option {
        option: "--threads",
        value: threads.to_string(),
        what,
    };
    // rayon takes 0 for "as many as there are".
    if threads == 0 {
        return Err(refuse("must be 1 or more".to_owned()));
    }
    let built = ThreadPoolBuilder::new().num_threads(threads).build();
    built.map_err(|error| refuse(error.to_string()))
}

/// Does `work` with that many threads, or with as many as the machine has. Results do not depend on it.
///
/// Errors: a pool that cannot be made.
pub fn with_threads<R: Send>(
    threads: Option<usize>,
    work: impl FnOnce() -> R + Send,
) -> Result<R, EngineError> {
    Ok(pool(threads)?.install(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_sees_the_threads_that_were_asked_for() {
        assert_eq!(with_threads(Some(3), rayon::current_num_threads).unwrap(), 3);
        let refused = with_threads(Some(0), || ()).unwrap_err().to_string();
        assert!(
            refused.contains("--threads") && refused.contains('0'),
            "{refused}"
        );
    }
}
