//! The terminal: keys, and what is drawn on it.

use std::io::{self, Stdout, Write as _};
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyEventKind};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{execute, queue};

use super::asking::{self, Seen};
use super::keys::Done;
use super::screen::{self, Line, Look, OTHER_LINES};
use super::view::View;
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::session::Session;

/// How long keys are waited for before answers are looked at.
const TURN: Duration = Duration::from_millis(50);

/// The terminal while it is ours: it is given back as it was, however this ends.
struct Screen(Stdout);

impl Screen {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let mut screen = Self(io::stdout());
        execute!(screen.0, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        queue!(self.0, BeginSynchronizedUpdate)?;
        for (row, line) in (0..).zip(lines) {
            let look = match line.look {
                Look::Plain => Attribute::Reset,
                Look::Bold => Attribute::Bold,
                Look::Head | Look::Alarm => Attribute::Reverse,
                Look::Dim => Attribute::Dim,
            };
            queue!(self.0, MoveTo(0, row), SetAttribute(look), Print(&line.text))?;
            queue!(self.0, SetAttribute(Attribute::Reset), Clear(ClearType::UntilNewLine))?;
        }
        queue!(self.0, EndSynchronizedUpdate)?;
        self.0.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What cannot be given back is lost already.
        let _ = execute!(self.0, Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// Shows it until the user quits.
pub(super) fn show(
    view: View,
    session: Session,
    vhost: Option<String>,
    interval: Duration,
) -> Result<(), Failure> {
    let lost = |error: io::Error| Failure::new(failure::SOFTWARE, format!("terminal: {error}"));
    run(view, session, vhost.as_deref(), interval).map_err(lost)
}

fn run(
    mut view: View,
    session: Session,
    vhost: Option<&str>,
    interval: Duration,
) -> io::Result<()> {
    let (wishes, answers) = asking::again(session, interval);
    let mut size = size()?;
    let mut screen = Screen::take()?;
    let (mut seen, mut trouble) = (Seen::default(), Some("Asking the server ...".to_owned()));
    let rows = |size: (usize, usize)| size.1.saturating_sub(OTHER_LINES).max(1);
    let mut is_new = true;
    loop {
        if is_new {
            let query = (!view.is_paused).then(|| view.query(vhost, rows(size)));
            // Where nobody asks any more nothing is to be seen; keys still are heard.
            let _ = wishes.send(query);
            if seen.what != view.what {
                seen.rows.clear();
            }
        }
        screen.draw(&screen::draw(&view, &seen, trouble.as_deref(), size))?;
        is_new = false;
        let mut is_changed = false;
        while !is_changed {
            if event::poll(TURN)? {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => {
                        match view.press(key, rows(size), seen.count) {
                            Done::Quit => return Ok(()),
                            Done::Changed => is_new = true,
                            Done::Nothing => {}
                        }
                    }
                    Event::Resize(..) => {
                        (size, is_new) = (self::size()?, true);
                    }
                    _ => {}
                }
                is_changed = is_new;
            }
            match answers.try_recv() {
                // What comes late may be of the other list.
                Ok(Ok(now)) if now.what != view.what => {}
                Ok(Ok(now)) => (seen, trouble, is_changed) = (now, None, true),
                Ok(Err(failure)) => {
                    trouble = Some(failure.into_reason().replace('\n', " "));
                    is_changed = true;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
        }
    }
}

fn size() -> io::Result<(usize, usize)> {
    terminal::size().map(|(width, height)| (width.into(), height.into()))
}
