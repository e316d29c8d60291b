# Of GitLab's published description: the operations that are asked here, with the names of their parameters, and of bodies and answers
# the names and kinds of fields that either side writes or reads. The description knows neither `null` nor lists of entities: where it
# refers to an entity there is one or there are many.
def wanted: ["id","iid","project_id","title","description","state","sha","source_branch","target_branch","author","username",
  "name","web_url","merge_commit_sha","squash_commit_sha","detailed_merge_status","status","ref","target_url","push_access_levels",
  "merge_access_levels","access_level","code_owner_approval_required","approved","approved_by","user","user_has_approved",
  "user_can_approve"];
. as $all
| def named: .["$ref"] | sub("#/definitions/"; "");
  def shape(d): if .["$ref"] then named as $name | $all.definitions[$name] | shape(d)
      | {kinds: ["array","null","object"], fields}
    else {kinds: ([.type, "null"] - [null] | unique)}
      + (if d > 0 and .items then {items: (.items | shape(d))} else {} end)
      + (if d > 0 and .properties then
          {fields: (.properties | with_entries(select(.key as $k | wanted | index($k))) | map_values(shape(d - 1)))} else {} end)
    end;
  def field: {kinds: ([.type] - [null])} + (if .enum then {enum: .enum} else {} end);
[["get","/api/v4/projects/{id}/merge_requests"], ["post","/api/v4/projects/{id}/merge_requests"],
 ["get","/api/v4/projects/{id}/merge_requests/{merge_request_iid}"], ["put","/api/v4/projects/{id}/merge_requests/{merge_request_iid}"],
 ["get","/api/v4/projects/{id}/merge_requests/{merge_request_iid}/approvals"], ["post","/api/v4/projects/{id}/statuses/{sha}"],
 ["get","/api/v4/projects/{id}/protected_branches/{name}"]]
| map(. as [$m, $p] | $all.paths[$p][$m] | {
    method: ($m | ascii_upcase), path: $p, query: [.parameters[]? | select(.in == "query") | .name] | sort,
    body: ([.parameters[]? | select(.in == "body")][0].schema // null
      | if . then named as $name | $all.definitions[$name] | {required: (.required // []), fields: (.properties | map_values(field))}
        else null end),
    answers: (.responses | with_entries(select(.key | startswith("2"))) | map_values(.schema | shape(3)))})
