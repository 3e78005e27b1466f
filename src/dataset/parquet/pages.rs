//! The pages of one column in one row group, as the parquet crate asks for them.

use std::ops::Range;

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

use super::chunk::OpenChunk;
use super::places::Index;

/// The pages of a column, in their order.
pub(super) struct Pages {
    column: OpenChunk,
    next: Next,
    /// The dictionary, when it was passed over and may be needed after all.
    passed: Option<Range<u64>>,
    /// How many values were handed out.
    values: u64,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
    Dictionary,
    Page(usize),
}

impl Pages {
    /// Finds the pages, if that was not done before.
    pub(super) fn new(column: OpenChunk) -> Result<Self> {
        if column.chunk().index.get().is_none() {
            let index = Index::of(&column)?;
            // Another thread may have been quicker; it has found the same.
            let _ = column.chunk().index.set(index);
        }
        Ok(Self {
            next: Next::Dictionary,
            column,
            passed: None,
            values: 0,
        })
    }

    fn index(&self) -> Result<&Index> {
        let index = self.column.chunk().index.get();
        index.ok_or_else(|| ParquetError::General("pages that were not looked for".to_owned()))
    }

    /// Where the next page lies: the dictionary's, or that of values with its rows.
    fn ahead(&mut self) -> Result<Option<(Range<u64>, PageMetadata)>> {
        if let Next::Dictionary = self.next {
            if let Some(at) = self.index()?.dictionary.clone() {
                let dictionary = PageMetadata {
                    num_rows: None,
                    num_levels: None,
                    is_dict: true,
                };
                return Ok(Some((at, dictionary)));
            }
            self.next = Next::Page(0);
        }
        let Next::Page(number) = self.next else {
            return Ok(None);
        };
        let index = self.index()?;
        match (index.pages.get(number), &index.broken) {
            (Some(page), _) => {
                let values = PageMetadata {
                    num_rows: page.rows,
                    num_levels: None,
                    is_dict: false,
                };
                Ok(Some((page.at.clone(), values)))
            }
            (None, Some(broken)) if number == index.pages.len() => {
                Err(ParquetError::General(broken.clone()))
            }
            _ => Ok(None),
        }
    }

    fn pass(&mut self) {
        self.next = match self.next {
            Next::Dictionary => Next::Page(0),
            Next::Page(number) => Next::Page(number + 1),
        };
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some((at, _)) = self.ahead()? else {
            return Ok(None);
        };
        self.pass();
        let page = self.column.page(at)?;
        if !page.is_dictionary_page() {
            self.values += u64::from(page.num_values());
            if self.values > self.column.chunk().values {
                return Err(ParquetError::General(
                    "more values than the footer says".to_owned(),
                ));
            }
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(self.ahead()?.map(|(_, page)| page))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if let Some((at, page)) = self.ahead()? {
            if page.is_dict {
                self.passed = Some(at);
            }
            self.pass();
        }
        Ok(())
    }

    fn supports_deferred_dictionary(&self) -> bool {
        true
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        let passed = self.passed.take();
        passed.map(|at| self.column.page(at)).transpose()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        let next = self.peek_next_page()?;
        Ok(next.is_none_or(|next| next.num_rows.is_some()))
    }
}
