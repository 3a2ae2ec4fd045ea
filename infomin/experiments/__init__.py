"""Reports: pictures of views and of g, tables and figures of results, from what runs recorded."""
