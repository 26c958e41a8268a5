//! The gradient overwrites the logits: every lane of the row has read what it needs of other lanes' classes before.

fn before_overwriting() {
    storageBarrier();
}
