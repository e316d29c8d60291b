{{ define "failing" }}{{ fail "from helper" }}{{ end }}{{ define "outer" }}{{ include "inner" . }}{{ end }}{{ define "inner" }}{{ .Values.none.x }}{{ end }}{{ define "loop" }}{{ include "loop" . }}{{ end }}{{ define "nv" }}{{ .none }}{{ end }}{{ define "e1" }}x
 {{ template "e2" . }}{{ end }}{{ define "e2" }}{{ include "e3" .Values }}{{ end }}{{ define "e3" }}{{ .s.t }}{{ end }}
