namespace Toolkit.Text;

/// <summary>One message of a conversation.</summary>
/// <param name="Role">Who speaks: system, user, assistant, tool.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>Further fields that a template may look at, such as <c>tool_calls</c> or <c>name</c>: texts, numbers, truth values, lists, maps or JSON.</summary>
    public IReadOnlyDictionary<string, object?> Fields { get; init; } = new Dictionary<string, object?>();
}
