//! The forward pass before a backward pass that writes the teacher's gradient too: it saves what that needs.

const TEACHER_GRADIENT: bool = true;
