//! A chart, its values and its templates.

super::group! {
    GROUP: "a chart, its values or its templates",
    "The chart is refused as Helm refuses it; Helm's own words stand in the note. The first place is the line that was being rendered or read. `landfall explain PATH` tells who sets a value, and what it overrides.";
    NO_CHART = 200, Failed, "There is no chart at that place, or it cannot be read.";
    BAD_ARCHIVE = 201, Failed, "A packed chart cannot be read.";
    BAD_CHART_FILE = 202, Failed, "Chart.yaml cannot be read, or is not accepted.";
    VALUE_UNREADABLE = 203, Failed, "A template reads a value beneath one that is null, not set or no table.";
    BAD_IGNORE_RULE = 204, Failed, "A rule of .helmignore cannot be read.";
    BAD_VALUES_FILE = 205, Failed, "A file of values or another YAML file of the chart cannot be read.";
    SUBCHART_DIRECTORY = 206, Failed, "A directory in charts/ has the name of an archive.";
    BAD_SET = 207, Usage, "A `--set` or one of its kind cannot be read.";
    NOT_A_TABLE = 208, Failed, "What holds the values of a subchart is no table.";
    LIBRARY_CHART = 209, Failed, "A chart of that kind cannot be rendered or installed on its own.";
    MISSING_DEPENDENCIES = 210, Failed, "Dependencies are declared in Chart.yaml and not in charts/.";
    OTHER_KUBERNETES = 211, Failed, "The chart wants another version of Kubernetes.";
    NO_RELEASE_NAME = 212, Usage, "A release has no name, or a text that cannot be one.";
    BAD_NAME_TEMPLATE = 213, Failed, "The template that makes the release's name fails.";
    SCHEMA_NOT_JSON = 214, Failed, "values.schema.json is not JSON.";
    BAD_CHART_NAME = 215, Failed, "A text cannot be a chart's name.";
    SCHEMA_VIOLATED = 216, Failed, "The values are not what values.schema.json asks for.";
    BAD_LINK = 217, Failed, "A link or special file stands where a plain one belongs, or leads where nothing is read or written.";
    BAD_KUBE_VERSION_FLAG = 218, Failed, "`--kube-version` is no version.";
    POST_RENDERER = 219, Failed, "The post-renderer has failed.";
    TEMPLATE_SYNTAX = 220, Failed, "A template cannot be parsed.";
    TEMPLATE_FAILED = 221, Failed, "A template fails while it is executed.";
    TEMPLATE_REFUSES = 222, Failed, "The chart's author refuses the values, with `fail` or `required`.";
    NO_NAMED_TEMPLATE = 223, Failed, "A template includes one that nobody defines.";
    TEMPLATE_CIRCLE = 224, Failed, "A template includes itself, here or through another one.";
    UNSETTLED_DEPENDENCIES = 225, Failed, "The chart's dependencies cannot be chosen, or differ from what Chart.lock says.";
    NO_PLACE_FOR_CHART = 226, Failed, "A new chart cannot be made at that place.";
    BAD_OUTPUT_TEMPLATE = 227, Failed, "The template for the output (`--template`) fails.";
    RENDERED_NOT_YAML = 231, Failed, "What a template rendered is not valid YAML.";
    RENDERED_NO_OBJECT = 232, Failed, "What a template rendered is not an object.";
    NO_SUCH_TEMPLATE = 240, Failed, "No template of that name renders anything.";
    LIMIT = 250, Failed, "A chart or its rendering passes a limit of Landfall's own.", "docs/limits.md has every limit, and what happens there.";
    LINT = 260, Failed, "The chart has findings; `landfall helm lint` prints them one by one.";
}
