//! A table whose keys depend on its `kind`: what is not asked for is unknown, so nothing is read
//! and ignored.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toolhost_vault::SecretSource;

use super::ConfigError;
use super::config_text::{ConfigText, nearest};
use super::destination;

/// The keys of one table, taken one by one.
pub(super) struct TableKeys<'a> {
    pub(super) source: &'a ConfigText<'a>,
    /// What errors call the table.
    pub(super) at: String,
    whole: Spanned<()>,
    table: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> TableKeys<'a> {
    pub(super) fn new(
        source: &'a ConfigText<'a>,
        at: String,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Result<Self, ConfigError> {
        let whole = Spanned::new(value.span(), ());
        let Some(table) = value.get_ref().as_table() else {
            return Err(source.at(&whole, at, "is not a table"));
        };
        Ok(Self {
            source,
            at,
            whole,
            table,
            asked: RefCell::default(),
        })
    }

    fn value(&self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&name) {
            asked.push(name);
        }
        self.table
            .iter()
            .find(|(key, _)| key.get_ref() == name)
            .map(|(_, value)| value)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    /// An error about a value of this table.
    pub(super) fn error<T>(
        &self,
        value: &Spanned<T>,
        name: &str,
        why: impl std::fmt::Display,
    ) -> ConfigError {
        self.source.at(value, self.key(name), why)
    }

    /// An error about something that is not there.
    pub(super) fn missing_key_error(&self, name: &str, why: impl std::fmt::Display) -> ConfigError {
        // Whoever wrote it in another way is told of that, and not that it is missing.
        let slip = self
            .unknown_keys()
            .find(|key| nearest(key.get_ref(), &[name]).is_some());
        match slip {
            Some(slip) => {
                let why = format!("unknown key, did you mean {name}?");
                self.error(slip, slip.get_ref(), why)
            }
            None => self.source.at(&self.whole, self.key(name), why),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<Spanned<String>>, ConfigError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match value.get_ref().as_str() {
            Some("") => Err(self.error(value, name, "is empty")),
            Some(text) => Ok(Some(Spanned::new(value.span(), text.to_owned()))),
            None => Err(self.error(value, name, "is not a string")),
        }
    }

    pub(super) fn require_text(&self, name: &'static str) -> Result<Spanned<String>, ConfigError> {
        self.text(name)?
            .ok_or_else(|| self.missing_key_error(name, "is missing"))
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.value(name) else {
            return Ok(Vec::new());
        };
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.error(value, name, "is not a list of strings"))?;
        list.iter()
            .map(|one| match one.get_ref().as_str() {
                Some(text) if !text.is_empty() => Ok(text.to_owned()),
                _ => Err(self.error(one, name, "has an element that is not a string or is empty")),
            })
            .collect()
    }

    /// A number of this unit, within a range.
    pub(super) fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
        unit: &str,
    ) -> Result<Option<Spanned<u64>>, ConfigError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = value.get_ref().as_integer();
        let number =
            number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(Spanned::new(value.span(), number))),
            None => {
                let (least, most) = range.into_inner();
                Err(self.error(value, name, format!("is not from {least} to {most} {unit}")))
            }
        }
    }

    /// `true` or `false`, and which where it is not there.
    pub(super) fn flag(&self, name: &'static str, otherwise: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.value(name) else {
            return Ok(otherwise);
        };
        let flag = value.get_ref().as_bool();
        flag.ok_or_else(|| self.error(value, name, "is neither true nor false"))
    }

    /// One of some words, the first where it is not there.
    pub(super) fn one_of<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let known = words.iter().find(|(word, _)| word == text.get_ref());
        known.map(|(_, meant)| Some(*meant)).ok_or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let why = format!("{:?} is not one of {}", text.get_ref(), all.join(", "));
            self.error(&text, name, why)
        })
    }

    /// Where a secret of the host's own is: `NAME_file` or `NAME_env`.
    pub(super) fn secret(
        &self,
        name: &str,
        [file, variable]: [&'static str; 2],
    ) -> Result<Option<SecretSource>, ConfigError> {
        let (file, variable) = (self.text(file)?, self.text(variable)?);
        destination::secret(self.source, &self.at, name, file, variable)
    }

    /// That everything was asked for.
    ///
    /// # Errors
    /// A key that has no meaning here, with the nearest that has one.
    pub(super) fn finish(&self) -> Result<(), ConfigError> {
        let Some(key) = self.unknown_keys().next() else {
            return Ok(());
        };
        let asked = self.asked.borrow();
        let why = match nearest(key.get_ref(), &asked) {
            Some(near) => format!("unknown key, did you mean {near}?"),
            None => format!("unknown key; valid here: {}", asked.join(", ")),
        };
        Err(self.error(key, key.get_ref(), why))
    }

    fn unknown_keys(&self) -> impl Iterator<Item = &'a Spanned<toml::de::DeString<'a>>> {
        let asked = self.asked.borrow().clone();
        self.table
            .keys()
            .filter(move |key| !asked.iter().any(|known| known == key.get_ref()))
    }
}
