using System.Collections.Immutable;
using System.Text.Json;

namespace Toolkit.Graphs.Capture;

/// <summary>Operations of the engine: recorded whole, parameter by parameter.</summary>
internal static class EngineLowering
{
    /// <summary>The values of the results; null where there is no such operator.</summary>
    public static IReadOnlyList<Value>? Lower(LeafCall call, string name)
    {
        if (Operators.Find(name) is not { } op)
        {
            return null;
        }

        var given = call.Method.GetParameters().Zip(call.Arguments).ToDictionary(pair => JsonNamingPolicy.SnakeCaseLower.ConvertName(pair.First.Name!), pair => pair.Second);
        if (given.Keys.Any(key => op.Parameters.All(parameter => parameter.Name != key)))
        {
            return null;
        }

        var arguments = ImmutableArray.CreateBuilder<Argument>(op.Parameters.Length);
        foreach (var parameter in op.Parameters)
        {
            var argument = given.TryGetValue(parameter.Name, out var value) ? ArgumentOf.Object(call, value, parameter) : parameter.Default;
            if (argument is null)
            {
                return null;
            }

            arguments.Add(argument);
        }

        return call.Add(op, arguments.ToImmutable()).Outputs;
    }
}
