namespace Toolkit.Text;

/// <summary>A chat template is malformed, uses something that is not supported, or refused the conversation (<c>raise_exception</c>).</summary>
/// <param name="message">What is wrong.</param>
public sealed class TemplateException(string message) : Exception(message);
