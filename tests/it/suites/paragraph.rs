use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Form, KlDivergence, Loss, PerClass, Reduction, SigmoidFocal,
    SoftCrossEntropy, SoftmaxFocal,
};

use crate::support::case::{Case, case};
use crate::support::spec::with_reduction;

/// A paragraph of a suite's file: lines of a key and what follows it.
pub struct Paragraph<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Paragraph<'a> {
    pub fn new(text: &'a str) -> Self {
        Paragraph(text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect())
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, rest)| *rest)
    }

    pub fn name(&self) -> &'a str {
        self.get("case").expect("a case has a name")
    }

    pub fn numbers<T: std::str::FromStr>(&self, key: &str) -> Option<Vec<T>> {
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{}: {key} {word}", self.name()));
        self.get(key).map(|words| words.split_whitespace().map(number).collect())
    }

    fn number<T: std::str::FromStr + Copy>(&self, key: &str) -> Option<T> {
        self.numbers(key).map(|numbers| numbers[0])
    }

    fn per_class(&self, key: &str) -> Option<PerClass> {
        self.numbers::<f32>(key).map(|numbers| if numbers.len() == 1 { numbers[0].into() } else { numbers.into() })
    }

    fn ignored(&self) -> Vec<i32> {
        self.numbers("ignore_index").unwrap_or_default()
    }

    fn form(&self, word: &str) -> Form {
        match word {
            "probs" => Form::Probs,
            "log_probs" => Form::LogProbs,
            "logits" => Form::Logits,
            _ => panic!("{}: form {word}", self.name()),
        }
    }

    fn unreduced(&self) -> Loss {
        let loss = self.get("loss").expect("a case has a loss");
        let eps = self.number("label_smoothing").unwrap_or(0.0);
        let gamma = || self.number("gamma").expect("a focal loss has a gamma");
        match loss.split_once(' ').unwrap_or((loss, "")) {
            ("log_softmax", _) => Loss::LogSoftmax,
            ("softmax", _) => Loss::Softmax,
            ("cross_entropy", _) => {
                let mut loss = CrossEntropy::new().label_smoothing(eps).poly1(self.number("poly1").unwrap_or(0.0));
                (loss.ignore_index, loss.class_weights) = (self.ignored(), self.numbers("class_weights"));
                loss.into()
            }
            ("soft_cross_entropy", _) => {
                let mut loss = SoftCrossEntropy::new().label_smoothing(eps);
                loss.class_weights = self.numbers("class_weights");
                loss.into()
            }
            ("kl_from_logits", form) => KlDivergence::from_logits(self.form(form)).into(),
            ("kl_from_log_probs", form) => KlDivergence::from_log_probs(self.form(form)).into(),
            ("binary_cross_entropy", _) => {
                let mut loss = BinaryCrossEntropy::new();
                loss.pos_weight = self.per_class("pos_weight");
                loss.into()
            }
            ("softmax_focal", _) => {
                let mut loss = SoftmaxFocal::new(gamma());
                (loss.alpha, loss.ignore_index) = (self.per_class("alpha"), self.ignored());
                loss.into()
            }
            ("sigmoid_focal", _) => {
                let mut loss = SigmoidFocal::new(gamma());
                loss.alpha = self.number("alpha");
                loss.into()
            }
            _ => panic!("{}: loss {loss}", self.name()),
        }
    }

    fn loss(&self) -> Loss {
        let Some(reduction) = self.get("reduction") else { return self.unreduced() };
        let reduction = match reduction.split_once(' ').unwrap_or((reduction, "")) {
            ("none", _) => Reduction::None,
            ("sum", _) => Reduction::Sum,
            ("mean", _) => Reduction::Mean,
            ("divided_by", number) => Reduction::SumDividedBy(number.parse().expect("a divisor")),
            _ => panic!("{}: reduction {reduction}", self.name()),
        };
        with_reduction(&self.unreduced(), reduction)
    }

    pub fn case(&self) -> Case {
        let n_classes = self.number("classes").expect("a case has classes");
        let mut case = case(self.loss(), n_classes, &self.numbers::<f32>("logits").expect("a case has logits"));
        (case.labels, case.values) = (self.numbers("labels"), self.numbers("targets"));
        case.weights = self.numbers("weights").map(|weights| match self.get("broadcast") {
            Some("per_class") => (weights, Broadcast::PerClass),
            Some("per_element") => (weights, Broadcast::PerElement),
            other => panic!("{}: broadcast {other:?}", self.name()),
        });
        case.dloss = self.numbers("dloss");
        case.name = self.name().to_string();
        case
    }
}
