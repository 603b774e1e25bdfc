//! From text to [`Expression`].

use std::iter::Peekable;
use std::str::Chars;

use super::{Content, Expression};

/// Reads a string of a template: `[…]` is an expression, and `[[` begins a literal with one bracket.
pub(super) fn content(text: &str) -> Result<Content, String> {
    if text.starts_with("[[") {
        return Ok(Content::Literal(text.split_at(1).1.to_owned()));
    }
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Ok(Content::Literal(text.to_owned()));
    };
    let mut parser = Parser { rest: inner.chars().peekable() };
    let expression = parser.expression()?;
    parser.skip_blanks();
    match parser.rest.next() {
        None => Ok(Content::Expression(expression)),
        Some(more) => Err(format!("'{more}' stands after the end of the expression")),
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression, String> {
        self.skip_blanks();
        let mut expression = match self.rest.peek() {
            Some('\'') => Expression::Text(self.text()?),
            Some(first) if first.is_ascii_digit() || *first == '-' => Expression::Number(self.number()?),
            Some(first) if first.is_ascii_alphabetic() => {
                let name = self.name();
                self.expect('(')?;
                Expression::Call(name, self.arguments()?)
            }
            Some(other) => return Err(format!("'{other}' begins no expression")),
            None => return Err("the expression ends too early".to_owned()),
        };
        loop {
            self.skip_blanks();
            if self.take('.') {
                let name = self.name();
                if name.is_empty() {
                    return Err("a name is missing behind '.'".to_owned());
                }
                expression = Expression::Member(Box::new(expression), name);
            } else if self.take('[') {
                let index = self.expression()?;
                self.expect(']')?;
                expression = Expression::Index(Box::new(expression), Box::new(index));
            } else {
                return Ok(expression);
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, String> {
        let mut arguments = Vec::new();
        self.skip_blanks();
        if self.take(')') {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            self.skip_blanks();
            if self.take(')') {
                return Ok(arguments);
            }
            self.expect(',')?;
        }
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('\'')?;
        let mut text = String::new();
        while let Some(character) = self.rest.next() {
            if character != '\'' {
                text.push(character);
            } else if self.take('\'') {
                text.push('\'');
            } else {
                return Ok(text);
            }
        }
        Err("a text has no end: ' is missing".to_owned())
    }

    fn number(&mut self) -> Result<i64, String> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(|next| next.is_ascii_digit() || *next == '-') {
            digits.push(digit);
        }
        digits.parse().map_err(|_| format!("'{digits}' is no whole number"))
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(character) = self.rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
            name.push(character);
        }
        name
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        self.skip_blanks();
        match self.rest.next() {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(format!("'{wanted}' is missing before '{found}'")),
            None => Err(format!("'{wanted}' is missing at the end")),
        }
    }
}
