using System.Reflection;
using Toolkit.Graphs;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Dispatch;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Every rule of the map from TorchSharp's methods to operators is held against what libtorch's dispatcher is asked to do by the method.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class LoweringCheckTests
{
    private const BindingFlags Everything = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly Dictionary<string, MethodInfo> _methods = Methods();

    private static readonly string[] _special =
    [
        "Tensor.div(Tensor,RoundingMode)", "Tensor.div(Scalar,RoundingMode)", "Tensor.squeeze(long?)", "Tensor.std(bool)", "Tensor.var(bool)", "Tensor._std(ReadOnlySpan<long>,bool,bool,ScalarType?)",
        "Tensor._var(ReadOnlySpan<long>,bool,bool,ScalarType?)", "Tensor.round(long)", "functional.dropout(Tensor,double,bool,bool)",
        "functional.batch_norm(Tensor,Tensor,Tensor,Tensor,Tensor,bool,double,double)", "functional.pad(Tensor,long[],PaddingModes,double)", "functional.pad(Tensor,ReadOnlySpan<long>,PaddingModes,double)",
    ];

    public static TheoryData<string> Rules => [.. LoweringRules.All.Select(rule => rule[..rule.IndexOf(" => ", StringComparison.Ordinal)]).Concat(_special)];

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_says_what_the_dispatcher_sees(string key)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Assert.True(_methods.TryGetValue(key, out var method), $"TorchSharp has no method {key}");
        Check(method, key, isInPlace: false);

        // The rule stands for the method in place too.
        if (key.StartsWith("Tensor.", StringComparison.Ordinal) && _methods.TryGetValue(key.Insert(key.IndexOf('('), "_"), out var inPlace) && IsOneShape(key))
        {
            Check(inPlace, key, isInPlace: true);
        }
    }

    [Fact]
    public void Methods_without_parameters_are_the_operators_of_their_names()
    {
        using var scope = NewDisposeScope();
        var checkedNames = new List<string>();
        foreach (var (key, method) in _methods.Where(entry => entry.Key.StartsWith("Tensor.", StringComparison.Ordinal) && entry.Key.EndsWith("()", StringComparison.Ordinal)))
        {
            if (method.ReturnType == typeof(Tensor) && !method.IsStatic && Operators.FindOwn("aten::" + method.Name) is { Kind: OperatorKind.Pointwise or OperatorKind.Reduction or OperatorKind.View } op
                && !op.IsMutating && TorchSharpApi.Break(method, []) is null)
            {
                manual_seed(1);
                var receiver = new[] { rand(3, 4) + 0.25, randint(0, 2, [3, 4]), randn(4, 4) }.FirstOrDefault(tensor => Works(method, tensor));
                if (receiver is null)
                {
                    continue;
                }

                Check(method, key, isInPlace: false, receiver);
                checkedNames.Add(method.Name);
            }
        }

        Assert.True(checkedNames.Count > 30, string.Join(", ", checkedNames));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_spread_of_all_values_is_what_TorchSharp_makes_of_it(bool isUnbiased)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var module = new Spread(isUnbiased);
        var compiled = module.Compile(new() { FullGraph = true });
        var x = randn(3, 3);
        for (var i = 0; i < 2; i++)
        {
            var error = (compiled.call(x) - module.call(x)).abs().max().ToSingle();
            Assert.True(error < 1e-5, $"call {i}: {error:E2}");
        }
    }

    /// <summary>Methods in place whose result has the receiver's shape and type.</summary>
    private static bool IsOneShape(string key) => key.Split('(')[0]["Tensor.".Length..] is "add" or "sub" or "mul" or "true_divide" or "floor_divide" or "remainder" or "fmod" or "clamp" or "clamp_min"
        or "clamp_max" or "masked_fill" or "addcmul" or "addcdiv" or "lerp" or "leaky_relu" or "elu" or "threshold" or "tril" or "triu" or "index_add" or "index_fill" or "scatter" or "scatter_add";

    private static Dictionary<string, MethodInfo> Methods()
    {
        var found = new Dictionary<string, MethodInfo>();
        foreach (var type in new[] { typeof(Tensor), typeof(torch), typeof(nn.functional), typeof(special) })
        {
            foreach (var method in type.GetMethods(Everything).Where(method => !method.ContainsGenericParameters))
            {
                found.TryAdd(LoweringRule.KeyOf(method), method);
            }
        }

        return found;
    }

    private static bool Works(MethodInfo method, Tensor receiver)
    {
        try
        {
            method.Invoke(receiver, []);
            return true;
        }
        catch (TargetInvocationException)
        {
            return false;
        }
    }

    private static void Check(MethodInfo method, string key, bool isInPlace, Tensor? receiver = null)
    {
        using var still = no_grad();
        var values = receiver is not null ? [receiver] : LoweringCases.For(method, key.Split('(')[0]);
        object? self = method.IsStatic ? null : values[0];
        var arguments = method.IsStatic ? values : values[1..];
        Tensor[] tensors = [.. arguments.Prepend(self).SelectMany(OpaqueCall.TensorsIn)];
        var clone = typeof(Tensor).GetMethod(nameof(Tensor.clone), Type.EmptyTypes)!;

        using var root = nn.Identity();
        using var tracer = new Tracer(root, isWhole: false);
        tracer.WatchArguments([tensors], [typeof(Tensor[])]);
        foreach (var tensor in tensors)
        {
            tracer.Tensors.Find(tensor);
        }

        var target = isInPlace ? tracer.Leaf(clone, self, [], () => ((Tensor)self!).clone()) : self;
        var result = tracer.Leaf(method, target, [.. arguments], () => NativeCall.Run(method, target, [.. arguments], isVirtual: true));
        Assert.True(tracer.Break is null, $"{key}: {tracer.Break}");
        Assert.True(tracer.OpaqueCalls.Count == 0, $"{LoweringRule.KeyOf(method)} stays a call");
        Tensor[] results = [.. OpaqueCall.TensorsIn(result ?? target)];
        var graph = tracer.Builder.Build(results.Select(tensor => tracer.Tensors.Find(tensor)!));

        IReadOnlyList<Tensor> Again(IReadOnlyList<Tensor> given)
        {
            object? Map(object? value) => value switch
            {
                Tensor tensor => given[Array.FindIndex(tensors, other => ReferenceEquals(other, tensor))],
                Tensor[] many => many.Select(tensor => (Tensor)Map(tensor)!).ToArray(),
                IList<Tensor> many => many.Select(tensor => (Tensor)Map(tensor)!).ToList(),
                SpanValue span when span.ElementType == typeof(Tensor) => SpanValue.Of((Array)Map((Tensor[])span.ToArray())!, typeof(Tensor)),
                _ => value,
            };
            var again = isInPlace ? ((Tensor)Map(self)!).clone() : Map(self);
            return [.. OpaqueCall.TensorsIn(NativeCall.Run(method, again, [.. arguments.Select(Map)], isVirtual: true) ?? again)];
        }

        Assert.True(LoweringCheck.Difference(graph, Again, tensors) is null or "", $"{LoweringRule.KeyOf(method)}: {LoweringCheck.Difference(graph, Again, tensors)}");
    }

    private sealed class Spread(bool isUnbiased) : nn.Module<Tensor, Tensor>(nameof(Spread))
    {
        public override Tensor forward(Tensor input) => stack([input.var(isUnbiased), input.std(isUnbiased)]);
    }
}
