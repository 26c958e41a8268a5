//! The sums over a row's classes, as its windows of classes left them.

fn row_sums(lane: Lane, place: Place, truth: Truth, weight: u32) -> Sums {
    return saved_sums[row_to_read(place)];
}
