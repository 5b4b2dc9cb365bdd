using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>The scope of a <see cref="Lock"/>, which only the real stack can hold. One thread runs what is interpreted, so there is nothing to wait for.</summary>
internal static class LockIntrinsics
{
    public static bool Try(MethodBase method, out StackValue result)
    {
        result = default;
        if (method.DeclaringType == typeof(Lock) && method.Name == nameof(Lock.EnterScope))
        {
            result = StackValue.Struct(new RefStructValue(typeof(Lock.Scope)));
            return true;
        }

        return method.DeclaringType == typeof(Lock.Scope) && method.Name == nameof(Lock.Scope.Dispose);
    }
}
