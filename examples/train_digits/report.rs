//! What the runs amounted to, as a table.

use crate::metrics::Metrics;

/// Runs to be compared, and what they are compared by.
pub struct Chapter {
    pub title: &'static str,
    pub setting: String,
    /// What `measure` is called.
    pub measured: &'static str,
    pub measure: fn(&Metrics) -> f64,
    pub runs: Vec<Run>,
    /// A result to compare with, and whose it is.
    pub reference: Option<(&'static str, f64)>,
}

/// One network's training, epoch by epoch.
pub struct Run {
    pub name: &'static str,
    pub losses: Vec<f32>,
    /// On the held-out images.
    pub metrics: Vec<Metrics>,
}

impl Chapter {
    pub fn accuracy(title: &'static str, setting: String, runs: Vec<Run>) -> Chapter {
        let measure = |metrics: &Metrics| metrics.accuracy;
        Chapter { title, setting, measured: "accuracy", measure, runs, reference: None }
    }

    pub fn macro_f1(title: &'static str, setting: String, runs: Vec<Run>) -> Chapter {
        Chapter { title, setting, measured: "macro-F1", measure: Metrics::macro_f1, runs, reference: None }
    }

    pub fn reference(self, name: &'static str, value: f64) -> Chapter {
        Chapter { reference: Some((name, value)), ..self }
    }
}

impl Run {
    /// After the last epoch.
    pub fn result(&self) -> &Metrics {
        self.metrics.last().expect("at least one epoch was trained")
    }
}

/// One line per run; `rare` are the classes whose F1 has a column of its own.
pub fn print(chapters: &[Chapter], rare: &[i32]) {
    println!();
    println!(
        "{:52} {:>8} {:>9} {:>9} {:>9}",
        "held-out results after the last epoch", "loss", "accuracy", "macro-F1", "rare F1"
    );
    for chapter in chapters {
        println!("{}: {}", chapter.title, chapter.setting);
        for run in &chapter.runs {
            let (metrics, loss) = (run.result(), run.losses.last().expect("as many losses as metrics"));
            let (accuracy, macro_f1, rare_f1) = (metrics.accuracy, metrics.macro_f1(), metrics.f1_of(rare));
            println!("    {:48} {loss:8.4} {accuracy:9.3} {macro_f1:9.3} {rare_f1:9.3}", run.name);
        }
    }
    println!();
}
