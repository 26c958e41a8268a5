//! Side outputs of a row that counts and has a value as both parts see it.

fn write_side(place: Place, truth: Truth, row: Row, sums: Sums) {
    var label = row.hard;
    label.ignored = row.ignored;
    label.poisoned = row.poisoned;
    hard_write_side(place, truth.hard, label, sums.hard);
}
