using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>A call that stays a call: of a TorchSharp method for which there is no operator. It is run through TorchSharp, with this call's tensors and that call's constants.</summary>
internal sealed class OpaqueCall
{
    private readonly MethodBase _method;
    private readonly Template _self;
    private readonly Template[] _arguments;

    private OpaqueCall(MethodBase method, Template self, Template[] arguments) => (_method, _self, _arguments) = (method, self, arguments);

    /// <summary>An operator that makes a call.</summary>
    /// <param name="method">What is called.</param>
    /// <param name="self">On what.</param>
    /// <param name="arguments">With what.</param>
    /// <param name="tensors">Receives the tensors among them, in order.</param>
    /// <param name="isMutating">Whether it changes its first tensor.</param>
    /// <param name="isRandom">Whether it draws from a generator.</param>
    /// <param name="outputs">How many tensors come out.</param>
    /// <returns>Null where an argument cannot be kept.</returns>
    public static Operator? Make(MethodBase method, object? self, object?[] arguments, List<Tensor> tensors, bool isMutating, bool isRandom, int outputs)
    {
        int Hole(Tensor tensor)
        {
            tensors.Add(tensor);
            return tensors.Count - 1;
        }

        var receiver = Template.Of(self, Hole, value => value is nn.Module);
        var templates = arguments.Select(argument => Template.Of(argument, Hole, IsKept)).ToArray();
        if (receiver is null || Array.Exists(arguments, argument => argument is nint or nint[]) || Array.Exists(templates, template => template is null))
        {
            return null;
        }

        var call = new OpaqueCall(method, receiver, templates!);
        var name = $"torchsharp::{Plain(method.DeclaringType!.Name)}_{Plain(method.Name)}";
        var schema = $"{name}(Tensor{(isMutating ? "(a!)" : "")}[] tensors) -> {(outputs == 1 ? "Tensor" : "Tensor[]")}";
        return new Operator(schema, isRandom ? OperatorKind.Random : OperatorKind.Other, null, (_, given) => call.Run(given))
        {
            Identity = (isMutating, outputs, call),
        };
    }

    /// <summary>The tensors in what a call returned, in order.</summary>
    public static IEnumerable<Tensor> TensorsIn(object? value)
    {
        var found = new List<Tensor>();
        Template.Of(
            value,
            tensor =>
            {
                found.Add(tensor);
                return 0;
            },
            other => other is not (System.Collections.IEnumerable or System.Runtime.CompilerServices.ITuple));
        return found;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is OpaqueCall other && other._method == _method && other._self.IsSame(_self) && Template.AreSame(other._arguments, _arguments);

    /// <inheritdoc/>
    public override int GetHashCode() => _method.GetHashCode();

    private Tensor[] Run(Tensor[] tensors)
    {
        var result = NativeCall.Run(_method, _self.Fill(i => tensors[i]), [.. _arguments.Select(argument => argument.Fill(i => tensors[i]))], isVirtual: true);

        // A tensor that comes back gets a handle of its own, so that whoever frees one does not free the other.
        return [.. TensorsIn(result).Select(tensor => Array.Exists(tensors, given => ReferenceEquals(given, tensor)) ? tensor.alias() : tensor)];
    }

    private static bool IsKept(object value) => value is ValueType or Generator or nn.Module;

    private static string Plain(string name) => string.Concat(name.Where(c => char.IsAsciiLetterOrDigit(c) || c == '_'));
}
