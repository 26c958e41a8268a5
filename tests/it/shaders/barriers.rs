//! Lanes that share memory wait for each other. A software adapter may run the lanes of a workgroup so that a missing
//! barrier shows nowhere, so the text is read: every way through a kernel, its calls and loops.

use std::collections::HashMap;

use naga::{AddressSpace, Barrier, Block, Expression, Function, GlobalVariable, Handle, Module, Statement};
use surprisal::Family;
use surprisal::kernel::{Gradient, Program, Slot};

use crate::support::shader::Parsed;

/// What lanes have done to a variable since they last waited.
#[derive(Clone, Copy, Default)]
struct Since {
    read: bool,
    /// Each lane a place of its own.
    stored: bool,
    /// Any lane any place.
    atomic: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Access {
    Read,
    Store,
    Atomic,
}

/// Where a lane has come to.
#[derive(Clone, Default)]
struct State {
    since: HashMap<Handle<GlobalVariable>, Since>,
    /// Whether the lanes have waited until all of them have read the storage buffers.
    storage_is_read: bool,
}

impl State {
    /// Some lanes have come this way, others that way, if any did.
    fn or(self, other: Option<State>) -> State {
        let Some(other) = other else { return self };
        let mut since = self.since;
        for (variable, that) in other.since {
            let this = since.entry(variable).or_default();
            this.read |= that.read;
            this.stored |= that.stored;
            this.atomic |= that.atomic;
        }
        State { since, storage_is_read: self.storage_is_read && other.storage_is_read }
    }
}

/// A walk through a kernel, in the order that a lane takes.
struct Walk<'a> {
    parsed: &'a Parsed,
    /// None after a return.
    state: Option<State>,
    /// Of the lanes that have returned from the function.
    returned: Option<State>,
    /// Of the lanes that have left the loop, and the round.
    broken: Option<State>,
    continued: Option<State>,
}

/// In workgroup memory nothing is read that another lane may be about to write, or written that another may be about to
/// read; and a gradient overwrites the logits only when every lane of the workgroup has read what it needs of them.
pub fn lanes_wait_for_each_other(parsed: &Parsed) {
    let mut walk = Walk { parsed, state: Some(State::default()), returned: None, broken: None, continued: None };
    let entry = &parsed.module.entry_points[0].function;
    walk.through(entry, &entry.body);
}

impl Walk<'_> {
    fn through(&mut self, function: &Function, block: &Block) {
        for statement in block {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        if let Expression::Load { pointer } = function.expressions[handle] {
                            self.meets(function, pointer, Access::Read);
                        }
                    }
                }
                Statement::Store { pointer, .. } => self.meets(function, *pointer, Access::Store),
                Statement::Atomic { pointer, .. } => self.meets(function, *pointer, Access::Atomic),
                Statement::Block(block) => self.through(function, block),
                Statement::If { accept, reject, .. } => self.through_either(function, [accept, reject].into_iter()),
                Statement::Switch { cases, .. } => {
                    let outer = self.broken.take();
                    self.through_either(function, cases.iter().map(|case| &case.body));
                    self.state = either(self.state.take(), std::mem::replace(&mut self.broken, outer));
                }
                Statement::Loop { body, continuing, .. } => self.around(function, body, continuing),
                Statement::Call { function, .. } => self.call(*function),
                Statement::ControlBarrier(barrier) => self.wait(*barrier),
                Statement::Return { .. } => self.returned = either(self.state.take(), self.returned.take()),
                Statement::Break => self.broken = either(self.state.take(), self.broken.take()),
                Statement::Continue => self.continued = either(self.state.take(), self.continued.take()),
                Statement::SubgroupGather { .. } | Statement::SubgroupCollectiveOperation { .. } => {}
                unknown => panic!("{}: what does {unknown:?} do to memory?", self.parsed.label),
            }
        }
    }

    fn through_either<'b>(&mut self, function: &Function, blocks: impl Iterator<Item = &'b Block>) {
        let before = self.state.clone();
        self.state = None;
        for block in blocks {
            let others = std::mem::replace(&mut self.state, before.clone());
            self.through(function, block);
            self.state = either(self.state.take(), others);
        }
    }

    /// Twice: what a round leaves is there in the next one.
    fn around(&mut self, function: &Function, body: &Block, continuing: &Block) {
        let outer = (self.broken.take(), self.continued.take());
        for _ in 0..2 {
            self.through(function, body);
            self.state = either(self.state.take(), self.continued.take());
            self.through(function, continuing);
        }
        self.state = either(self.state.take(), self.broken.take());
        (self.broken, self.continued) = outer;
    }

    fn call(&mut self, function: Handle<Function>) {
        let outer = self.returned.take();
        let called = &self.parsed.module.functions[function];
        self.through(called, &called.body);
        self.state = either(self.state.take(), std::mem::replace(&mut self.returned, outer));
    }

    fn wait(&mut self, barrier: Barrier) {
        let Some(state) = &mut self.state else { return };
        if barrier.contains(Barrier::WORK_GROUP) {
            state.since.clear();
        }
        state.storage_is_read |= barrier.contains(Barrier::STORAGE);
    }

    /// Whether this is a row's logits, which the gradient overwrites and of which any lane reads the label's. Where
    /// classes come in windows it has been gathered before.
    fn shares_logits(&self, variable: Handle<GlobalVariable>) -> bool {
        let Parsed { kernel, module, .. } = self.parsed;
        let of_labels =
            |family| matches!(family, Family::ClassIndex | Family::GivenLogProb | Family::Distillation { .. });
        let reads_label = match kernel.program {
            Program::Loss { family, .. } => {
                of_labels(family) && matches!(kernel.entry_point(), "backward" | "forward_backward")
            }
            _ => false,
        };
        reads_label && kernel.gradient == Gradient::InPlace && is_logits(module, variable)
    }

    fn meets(&mut self, function: &Function, pointer: Handle<Expression>, access: Access) {
        let (label, module) = (&self.parsed.label, &self.parsed.module);
        let Some(variable) = root(function, pointer) else { return };
        let shares_logits = self.shares_logits(variable);
        let Some(state) = &mut self.state else { return };
        let global = &module.global_variables[variable];
        let name = global.name.as_deref().unwrap_or_default();
        if global.space != AddressSpace::WorkGroup {
            let is_free = access == Access::Read || state.storage_is_read || !shares_logits;
            assert!(is_free, "{label}: {name} is overwritten before every lane has read it");
            return;
        }
        let since = state.since.entry(variable).or_default();
        let must_wait = match access {
            Access::Read => since.stored || since.atomic,
            Access::Store => since.read || since.atomic,
            Access::Atomic => since.read || since.stored,
        };
        assert!(!must_wait, "{label}: {access:?} of {name} without a barrier after what other lanes did to it");
        match access {
            Access::Read => since.read = true,
            Access::Store => since.stored = true,
            Access::Atomic => since.atomic = true,
        }
    }
}

fn either(one: Option<State>, other: Option<State>) -> Option<State> {
    match one {
        Some(one) => Some(one.or(other)),
        None => other,
    }
}

/// The variable that a pointer points into, if it is one of the module's.
fn root(function: &Function, mut pointer: Handle<Expression>) -> Option<Handle<GlobalVariable>> {
    loop {
        match function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => pointer = base,
            Expression::GlobalVariable(variable) => return Some(variable),
            Expression::LocalVariable(_) => return None,
            ref unknown => panic!("{unknown:?} points somewhere"),
        }
    }
}

fn is_logits(module: &Module, variable: Handle<GlobalVariable>) -> bool {
    let binding = module.global_variables[variable].binding.as_ref();
    binding.is_some_and(|binding| binding.binding == Slot::Logits as u32)
}
