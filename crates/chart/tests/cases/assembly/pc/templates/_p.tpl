{{ define "x" }}y{{ end }}kind: Partial
