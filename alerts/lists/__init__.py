"""The advisor's own list: a page that stands alone, and a spreadsheet."""
