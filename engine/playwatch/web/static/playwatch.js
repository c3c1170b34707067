// Live pages: hears what changes, and puts the server's own HTML in place of
// what it shows. Without this script every page works by loading it again.
