# Of GitHub's published description (the file whose references are resolved): the seven operations that are asked here, with the
# names of their parameters, and of bodies and answers the names and kinds of fields that either side writes or reads.
def wanted: ["url","id","html_url","number","state","locked","title","user","login","type","body","labels","merged_at",
  "merge_commit_sha","merged","draft","head","base","label","ref","sha","context","description","creator","commit_id",
  "enforce_admins","enabled","required_pull_request_reviews","dismiss_stale_reviews","require_code_owner_reviews",
  "required_approving_review_count","target_url"];
def kinds: (if .type == null then [] elif (.type|type) == "array" then .type else [.type] end)
  + (if .nullable == true then ["null"] else [] end)
  + ((.anyOf // .oneOf // []) | map(kinds) | add // []) | unique;
def shape(d): {kinds: kinds}
  + (if .enum then {enum: .enum} else {} end)
  + (if d > 0 and .items then {items: (.items | shape(d))} else {} end)
  + (if d > 0 and .properties then
      {fields: (.properties | with_entries(select(.key as $k | wanted | index($k))) | map_values(shape(d - 1)))} else {} end);
. as $all
| [["get","/repos/{owner}/{repo}/pulls"], ["post","/repos/{owner}/{repo}/pulls"],
   ["patch","/repos/{owner}/{repo}/pulls/{pull_number}"], ["get","/repos/{owner}/{repo}/pulls/{pull_number}"],
   ["get","/repos/{owner}/{repo}/pulls/{pull_number}/reviews"], ["post","/repos/{owner}/{repo}/statuses/{sha}"],
   ["get","/repos/{owner}/{repo}/branches/{branch}/protection"]]
| map(. as [$m, $p] | $all.paths[$p][$m] | {
    method: ($m | ascii_upcase), path: $p, query: [.parameters[] | select(.in == "query") | .name] | sort,
    body: (.requestBody.content["application/json"].schema // null
      | if . then {required: (.required // []), fields: (.properties | map_values(shape(0)))} else null end),
    answers: (.responses | with_entries(select(.key | startswith("2")))
      | map_values(.content["application/json"].schema | shape(3)))})
