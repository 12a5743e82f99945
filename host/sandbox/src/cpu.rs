use std::time::Duration;

use wasmtime::UpdateDeadline;

use toolhost_policy::Limit;

use crate::guests::SpinFlag;
use crate::limiter::LimitHit;

/// How often the epoch moves. A spinning guest gives its thread back this often; shorter costs
/// wake-ups for nothing.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The CPU of one call, counted in epoch ticks that found it running.
#[derive(Debug)]
pub(crate) struct CpuBudget {
    ticks_left: u64,
    seen: bool,
    spun: SpinFlag,
}

impl CpuBudget {
    pub(crate) fn new(cpu_ms: u64, spun: SpinFlag) -> Self {
        let tick = u64::try_from(TICK.as_millis()).unwrap_or(1).max(1);
        Self {
            ticks_left: cpu_ms.div_ceil(tick).max(1),
            seen: false,
            spun,
        }
    }

    /// Called when the guest is found running at a new epoch: let it go on, yield to others, or end
    /// it.
    ///
    /// The first epoch may come a microsecond after the guest began and says nothing about it; the
    /// second shows that it has used a whole tick.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let Some(left) = self.ticks_left.checked_sub(1) else {
            return Err(wasmtime::Error::from(LimitHit(Limit::cpu_ms)));
        };
        self.ticks_left = left;
        if !std::mem::replace(&mut self.seen, true) {
            return Ok(UpdateDeadline::Continue(1));
        }
        self.spun.set();
        Ok(UpdateDeadline::Yield(1))
    }
}

/// Moves the engine's epoch until the engine is gone. One thread an engine, never one a call.
pub(crate) fn spawn_ticker(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    Ok(())
}
