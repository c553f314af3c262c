//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::View;

/// What a key has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing.
    Nothing,
    /// Something that the server has to be asked for.
    Changed,
    /// The user has seen enough.
    Quit,
}

impl View {
    /// A key is pressed, with so many rows on the screen of so many that there are.
    pub(super) fn press(&mut self, key: KeyEvent, rows: usize, all: usize) -> Done {
        let before = self.clone();
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            return Done::Quit;
        }
        if self.is_typing {
            self.type_filter(key.code);
        } else if self.command(key.code, rows, all) == Done::Quit {
            return Done::Quit;
        }
        if *self == before { Done::Nothing } else { Done::Changed }
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(sign) => self.filter.push(sign),
            _ => {}
        }
        self.first = 0;
    }

    fn command(&mut self, key: KeyCode, rows: usize, all: usize) -> Done {
        let last = self.what.columns().len() - 1;
        let page = isize::try_from(rows).unwrap_or(isize::MAX);
        match key {
            KeyCode::Char('q') => return Done::Quit,
            KeyCode::Esc if self.filter.is_empty() => return Done::Quit,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Tab | KeyCode::BackTab => self.turn_over(),
            KeyCode::Left | KeyCode::Char('<') => {
                self.order = self.order.checked_sub(1).unwrap_or(last);
                self.first = 0;
            }
            KeyCode::Right | KeyCode::Char('>') => {
                self.order = if self.order == last { 0 } else { self.order + 1 };
                self.first = 0;
            }
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1, all),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1, all),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(page, all),
            KeyCode::PageUp => self.scroll(-page, all),
            KeyCode::Home => self.first = 0,
            KeyCode::End => self.first = all.saturating_sub(rows),
            _ => {}
        }
        Done::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::ctl::top::columns::What;

    fn press(view: &mut View, keys: &[KeyCode]) -> Done {
        let press = |key: &KeyCode| view.press(KeyEvent::from(*key), 10, 95);
        keys.iter().map(press).last().unwrap_or(Done::Nothing)
    }

    #[test]
    fn keys_choose_what_is_shown_and_from_where_on() {
        let mut view = View::new(What::Queues, Some("ready"), "").unwrap_or_else(|_| panic!());
        assert_eq!(press(&mut view, &[KeyCode::Right, KeyCode::Char('r')]), Done::Changed);
        assert_eq!((view.what.columns()[view.order].name, view.is_reversed), ("unacked", true));
        press(&mut view, &[KeyCode::End, KeyCode::PageDown, KeyCode::Up]);
        assert_eq!(view.first, 93);
        press(&mut view, &[KeyCode::Tab]);
        assert_eq!((view.what, view.first, view.is_reversed), (What::Connections, 0, false));
        assert_eq!(press(&mut view, &[KeyCode::Up]), Done::Nothing);
        assert_eq!(press(&mut view, &[KeyCode::Char('q')]), Done::Quit);
    }

    #[test]
    fn what_is_typed_after_a_slash_is_looked_for() {
        let mut view = View::new(What::Queues, None, "").unwrap_or_else(|_| panic!());
        press(&mut view, &['/', 'q', 'x'].map(KeyCode::Char));
        assert_eq!((view.filter.as_str(), view.is_typing), ("qx", true));
        press(&mut view, &[KeyCode::Backspace, KeyCode::Enter]);
        assert_eq!((view.filter.as_str(), view.is_typing), ("q", false));
        assert_eq!(press(&mut view, &[KeyCode::Esc]), Done::Changed);
        assert_eq!(view.filter, "");
        assert_eq!(press(&mut view, &[KeyCode::Esc]), Done::Quit);
    }
}
