using System.Reflection;
using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Architecture;

/// <summary>
/// The library makes no scalar that nobody holds: the garbage collector frees it while libtorch still reads it, since TorchSharp keeps none alive during its calls ("Unknown scalar type"). Such are
/// those that C# converts a number to (<c>x.mul(2f)</c>), and those that methods of TorchSharp make of what they are given (<c>x.add(y)</c>, <c>arange(n)</c>).
/// </summary>
public sealed class ScalarTests
{
    private const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    // It makes scalars of numbers alone, and is given tensors.
    private static readonly string[] _allowed = ["AdamW.Step"];

    [Fact]
    public void The_library_makes_no_scalar_that_nobody_holds()
    {
        var careless = Careless();
        Assert.True(careless.Count > 200, $"{careless.Count} methods of TorchSharp make scalars");
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var method in MethodsOf(typeof(Toolkit.Graphs.Graph).Assembly).Where(method => method.DeclaringType!.Namespace?.StartsWith("Toolkit", StringComparison.Ordinal) == true))
        {
            var name = $"{method.DeclaringType!.Name}.{method.Name}";
            wrong.UnionWith(Called(method).Where(called => IsConversion(called) || careless.Contains(Definition(called))).Select(called => $"{name} calls {called.DeclaringType!.Name}.{called}").Where(_ => !_allowed.Contains(name)));
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>Methods of TorchSharp that make scalars, or call one that does.</summary>
    private static HashSet<MethodBase> Careless()
    {
        var callers = new Dictionary<MethodBase, List<MethodBase>>();
        var open = new Stack<MethodBase>();
        foreach (var method in MethodsOf(typeof(Tensor).Assembly).Where(method => !MakesScalar(method)))
        {
            foreach (var called in Called(method))
            {
                if (MakesScalar(called))
                {
                    open.Push(Definition(method));
                }
                else if (callers.TryGetValue(Definition(called), out var known))
                {
                    known.Add(Definition(method));
                }
                else
                {
                    callers[Definition(called)] = [Definition(method)];
                }
            }
        }

        var found = new HashSet<MethodBase>();
        while (open.TryPop(out var method))
        {
            if (found.Add(method))
            {
                callers.GetValueOrDefault(method)?.ForEach(open.Push);
            }
        }

        return found;
    }

    private static bool IsConversion(MethodBase method) => method.DeclaringType == typeof(Scalar) && method.Name == "op_Implicit";

    private static bool MakesScalar(MethodBase method) => IsConversion(method) || (method is MethodInfo { ReturnType: var type } && type == typeof(Scalar) && method.Name == "ToScalar");

    private static MethodBase Definition(MethodBase method) => method is MethodInfo { IsGenericMethod: true } generic ? generic.GetGenericMethodDefinition() : method;

    private static IEnumerable<MethodBase> MethodsOf(Assembly assembly) => assembly.GetTypes().SelectMany(type => type.GetMethods(All).Concat<MethodBase>(type.GetConstructors(All)));

    private static IEnumerable<MethodBase> Called(MethodBase method)
    {
        foreach (var instruction in InstructionReader.Read(method.GetMethodBody()?.GetILAsByteArray() ?? []))
        {
            if (instruction.Code is ILOpCode.Call or ILOpCode.Callvirt or ILOpCode.Newobj or ILOpCode.Ldftn or ILOpCode.Ldvirtftn)
            {
                yield return method.Module.ResolveMethod((int)instruction.Integer, method.DeclaringType?.GetGenericArguments(), method is MethodInfo { IsGenericMethod: true } ? method.GetGenericArguments() : null)!;
            }
        }
    }
}
