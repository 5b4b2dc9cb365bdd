namespace Toolkit.Ops;

/// <summary>Says that capture records a call of the method whole, as one operation of a graph.</summary>
/// <param name="name">Name of the operator, as in <c>toolkit::rms_norm</c>; the method's parameters are its parameters. Where there is no such operator, the call itself is recorded.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GraphOperatorAttribute(string name) : Attribute
{
    /// <summary>Name of the operator.</summary>
    public string Name => name;
}
