//! Four of a teacher's numbers from the targets.

fn load_teacher(place: Place, j: u32, left: u32) -> vec4<u32> {
    return load_targets(class_at(place.targets, j), left, TEACHER_FILL);
}
