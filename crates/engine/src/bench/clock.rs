//! Two clocks: what a person waits for, and what the processor worked for this process.

use std::time::{Duration, Instant};

use crate::{Context, EngineError};

/// Calls before the clock starts: the first one allocates and packs, the second finds warm caches.
const WARM_UP: usize = 2;
/// Progress is worth showing where the timed calls take longer than this.
const WORTH_SHOWING: Duration = Duration::from_secs(2);

/// Times of single calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// Wall time in milliseconds.
    pub(super) wall_ms: Vec<f64>,
    /// Processor time of all threads of this process in milliseconds; empty on a system without such a clock.
    pub(super) cpu_ms: Vec<f64>,
}

impl Times {
    /// Median processor time in milliseconds, or of the wall time where there is no such clock.
    pub(super) fn work_ms(&self) -> f64 {
        median(if self.cpu_ms.is_empty() {
            &self.wall_ms
        } else {
            &self.cpu_ms
        })
    }
}

/// Median; NaN of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    uncertainty::median(values).unwrap_or(f64::NAN)
}

/// Calls `run` a few times unmeasured, then `iterations` times with both clocks.
///
/// Errors: those of `run`; interrupted.
pub(super) fn time(
    iterations: usize,
    context: &Context<'_>,
    mut run: impl FnMut() -> Result<(), EngineError>,
) -> Result<Times, EngineError> {
    let mut one = || {
        if context.cancelled() {
            return Err(EngineError::Interrupted);
        }
        let (wall, cpu) = (Instant::now(), process_time());
        run()?;
        let cpu = process_time()
            .zip(cpu)
            .map(|(end, start)| end.saturating_sub(start));
        Ok((wall.elapsed(), cpu))
    };
    let mut expected = Duration::ZERO;
    for _ in 0..WARM_UP {
        expected = one()?.0;
    }
    let shown = expected * iterations as u32 > WORTH_SHOWING;
    if shown {
        context.progress.begin("iterations", iterations as u64);
    }
    let mut times = Times::default();
    for _ in 0..iterations {
        let (wall, cpu) = one()?;
        times.wall_ms.push(wall.as_secs_f64() * 1e3);
        times.cpu_ms.extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e3));
        if shown {
            context.progress.advance(1);
        }
    }
    if shown {
        context.progress.end();
    }
    Ok(times)
}

/// Processor time of all threads of this process.
#[cfg(unix)]
fn process_time() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .ok()
        .map(Duration::from)
}

/// This system has no such clock that can be read safely.
#[cfg(not(unix))]
fn process_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::Silent;

    #[test]
    fn every_timed_call_counts_once_on_each_clock() {
        let cancel = AtomicBool::new(false);
        let context = Context {
            progress: &Silent,
            cancel: &cancel,
        };
        let mut calls = 0;
        let times = time(3, &context, || {
            calls += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!((calls, times.wall_ms.len()), (WARM_UP + 3, 3));
        assert!(times.cpu_ms.is_empty() || times.cpu_ms.len() == 3);
        cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(
            time(1, &context, || Ok(())),
            Err(EngineError::Interrupted)
        ));
    }
}
